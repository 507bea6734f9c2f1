# Runs once, while the image is made, after the interpreter has started: makes imports independent of files, imports the
# standard library, warms up what every program does, and puts the modules to sleep (hc_modules.c). `_hc` is hc_python.c's.
# It is compiled under importlib's file name, so that our functions in it are cut out of tracebacks as importlib's are.
import sys, builtins, _imp
import _frozen_importlib as bootstrap
import _frozen_importlib_external as external

STDLIB = '/usr/lib/python3.11'
started = set(sys.modules)    # what a native interpreter has in sys.modules when a program begins


# ------------------------------------------------------------------- the library's code comes from memory, not from files
# Everything that a program can look at stays as it is natively: finders, loaders, specs, __file__, __cached__.
def install_loaders(code, kind):
    FileFinder, SourceFileLoader = external.FileFinder, external.SourceFileLoader
    find_in_files, code_from_file = FileFinder.find_spec, SourceFileLoader.get_code
    spec_from_file_location, STDLIB = external.spec_from_file_location, '/usr/lib/python3.11'

    def find_spec(self, fullname, target=None):
        """Try to find a spec for the specified module.

        Returns the matching spec, or None if not found.
        """
        path = self.path
        if path.startswith(STDLIB):
            parent, _, name = fullname.rpartition('.')
            if path == (STDLIB + '/' + parent.replace('.', '/') if parent else STDLIB):
                found = kind(fullname)
                if found == 1:
                    file = f'{path}/{name}.py'
                    return spec_from_file_location(fullname, file, loader=SourceFileLoader(fullname, file))
                if found == 2:
                    file = f'{path}/{name}/__init__.py'
                    return spec_from_file_location(fullname, file, loader=SourceFileLoader(fullname, file),
                                                   submodule_search_locations=[f'{path}/{name}'])
        return find_in_files(self, fullname, target)

    def get_code(self, fullname):
        """Concrete implementation of InspectLoader.get_code.

        Reading of bytecode requires path_stats to be implemented. To write
        bytecode, set_data must also be implemented.

        """
        if self.path.startswith(STDLIB):
            found = code(fullname)
            if found is not None and found.co_filename == self.path:
                return found
        return code_from_file(self, fullname)

    def _cache_bytecode(self, source_path, bytecode_path, data):
        pass    # no __pycache__ beside the program's modules

    for function, owner in ((find_spec, FileFinder), (get_code, SourceFileLoader), (_cache_bytecode, SourceFileLoader)):
        function.__qualname__ = owner.__name__ + '.' + function.__name__
        function.__module__ = external.__name__
        setattr(owner, function.__name__, function)


install_loaders(_hc.code, _hc.kind)
sys.path.insert(0, '/workspace')
PACKAGES = '/usr/local/lib/python3.11/dist-packages'    # installed packages: the host mounts them there
sys.path += [PACKAGES, '/usr/lib/python3/dist-packages']    # as on Debian; the other one is always empty
finder = sys.path_hooks[-1]('/')
details = finder._loaders


def folder_finder(path):
    found = external.FileFinder(path)
    found._loaders = details
    return found


sys.path_importer_cache.clear()
for entry in sys.path:
    sys.path_importer_cache[entry] = None
for name in _hc.names():
    if _hc.kind(name) == 2:
        path = STDLIB + '/' + name.replace('.', '/')
        sys.path_importer_cache[path] = folder_finder(path)
for path in (STDLIB, '/workspace', PACKAGES):
    sys.path_importer_cache[path] = folder_finder(path)

# The few modules that Python took from the bootstrap table become ordinary ones.
for name in ('encodings', 'encodings.aliases', 'encodings.utf_8'):
    module = sys.modules[name]
    spec = (sys.path_importer_cache[STDLIB] if '.' not in name else
            sys.path_importer_cache[STDLIB + '/encodings']).find_spec(name)
    for attribute in ('__file__', '__cached__', '__path__'):
        module.__dict__.pop(attribute, None)
    bootstrap._init_module_attrs(spec, module, override=True)

# ------------------------------------------------------------------------------------------------------- __main__
main = sys.modules['__main__'].__dict__
main['__loader__'] = external.SourceFileLoader('__main__', '/workspace/main.py')
main['__file__'] = '/workspace/main.py'
main['__cached__'] = None
sys.path_importer_cache['/workspace/main.py'] = None

# --------------------------------------------------------------------------------------- import all that is worth it
# Left out: what warns when it is imported (uu, imp, cgi …), because a program must see the warning, and what keeps a
# reference to __import__ (logging.config), because it is ours just now.
WORTH = '''
__future__ abc argparse array ast asyncio atexit base64 bdb binascii bisect bz2 calendar cmath cmd code codecs codeop
collections collections.abc colorsys concurrent.futures configparser contextlib contextvars copy copyreg csv ctypes
dataclasses datetime decimal difflib dis doctest email email.message email.mime.text email.mime.multipart email.parser
email.policy email.utils encodings.ascii encodings.latin_1 encodings.idna encodings.utf_16 encodings.cp1252
encodings.utf_8_sig enum errno faulthandler filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass
gettext glob graphlib gzip hashlib heapq hmac html html.entities html.parser http http.client http.cookies imaplib
importlib importlib.abc importlib.machinery importlib.metadata importlib.resources importlib.util inspect io ipaddress
itertools json json.tool keyword linecache locale logging logging.handlers lzma mailbox marshal math
mimetypes multiprocessing numbers opcode operator optparse os pathlib pdb pickle pickletools pkgutil platform plistlib
pprint profile pstats py_compile pyclbr queue quopri random re reprlib sched secrets select selectors shelve shlex
shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string stringprep struct subprocess symtable
sysconfig tarfile tempfile textwrap threading time timeit token tokenize tomllib trace traceback tracemalloc types
typing unicodedata unittest unittest.mock urllib urllib.error urllib.parse urllib.request uuid warnings wave weakref
xml xml.dom xml.dom.minidom xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.handler xmlrpc.client zipfile
zipimport zlib zoneinfo cProfile _pydatetime _strptime _json _csv _struct _datetime _decimal _bisect _heapq _random
_pickle _zoneinfo _statistics _queue
'''.split()

needs, loading, loaded, farewells = {}, [], set(), {}
plain_import, plain_load = builtins.__import__, bootstrap._load_unlocked


def note(name):
    if loading and name in sys.modules and name not in started and name != loading[-1]:
        row = needs.setdefault(loading[-1], [])
        if name not in row:
            row.append(name)


def noting_import(name, globals=None, locals=None, fromlist=(), level=0):
    result = plain_import(name, globals, locals, fromlist, level)
    if loading:
        if level:
            package = globals['__package__'].rsplit('.', level - 1)[0]
            name = f'{package}.{name}' if name else package
        parts = name.split('.')
        for i in range(1, len(parts) + 1):
            note('.'.join(parts[:i]))
        for item in fromlist or ():
            note(f'{name}.{item}')
    return result


def noting_load(spec):
    loading.append(spec.name)
    before = set(sys.modules)
    try:
        result = plain_load(spec)
        for name in set(sys.modules) - before - loaded:    # names that the module put there itself
            note(name)
        return result
    finally:
        loaded.add(spec.name)
        loading.pop()


def noting_register(*call, **more):
    """What a module wants done at exit is wanted only by programs that import it."""
    farewells.setdefault(loading[-1], []).append((call, more))
    return call[0]


import atexit
plain_register, atexit.register = atexit.register, noting_register
builtins.__import__, bootstrap._load_unlocked = noting_import, noting_load
for name in WORTH:
    try:
        noting_import(name)
    except ImportError:
        pass    # not in this build: absent for programs too
builtins.__import__, bootstrap._load_unlocked = plain_import, plain_load
atexit.register = plain_register
assert atexit._ncallbacks() == 0

# --------------------------------------------------------------------------------------------------------- warm up
# Twice and more, so that the specialising interpreter has settled and caches and free lists are filled.
WARM = [b'''
import sys, os, json, re, math, collections, functools, dataclasses, random, datetime, string, itertools, io, time
print(2 + 2)
x = [i * i for i in range(50)]
for i in x:
    print(i, f"{i:x} {i!r:>5} {i / 3:.2f}", str(i), sep="-", end="\\n")
def f(a, *b, c=1, **d):
    return a
class K:
    z = 1
    def __init__(self, n=0): self.n = n
    def m(self): return self.n + 1
    def __repr__(self): return f"K({self.n})"
@dataclasses.dataclass
class P:
    x: int
    y: float = 0.5
k = K(3); k.m(); f(1, 2, c=3, d=4); d = {1: 2, "a": [1, 2.5, None, True]}; s = {1, 2, 3}
print(d, s, k, P(1), sorted(x, key=lambda v: -v), sum(x), max(x), (1, 2), 1.5, None, b"x")
print(json.loads(json.dumps(d)), re.sub("a+", "b", "caat"), math.sqrt(2), len(x), "a,b".split(","), "x".join(["1"]))
try:
    1 / 0
except ZeroDivisionError as e:
    print(e)
with io.StringIO() as g:
    g.write("x")
def gen():
    yield 1
list(gen()); any(gen()); dict(zip("ab", [1, 2])); [*map(int, "12")]; x[1:3]; x[-1]; "abc".upper(); 2 ** 100; 7 // 2
collections.Counter("abca").most_common(1); collections.defaultdict(list)["a"].append(1)
functools.lru_cache(None)(f)(1)
''', b'def f(n):\n    return n / 0\nf(1)\n', b'x = (\n', b'raise SystemExit(0)', b'import nothing_of_this_name',
    b'undefined_name', b'{}["k"]', b'print(2+2)', b'pass']
first_warm = dict(main)


def warm_up():
    import io
    out, err = sys.stdout, sys.stderr
    try:
        for _ in range(4):
            for source in WARM:
                sys.stdout = io.TextIOWrapper(io.BytesIO(), 'utf-8', newline='\n')
                sys.stderr = io.TextIOWrapper(io.BytesIO(), 'utf-8', newline='\n', line_buffering=True)
                _hc.warm(source)
                main.clear()
                main.update(first_warm)
    finally:
        sys.stdout, sys.stderr = out, err
    for name in ('last_type', 'last_value', 'last_traceback'):
        sys.__dict__.pop(name, None)


sys.setrecursionlimit(1000)
warm_up()

# ---------------------------------------------------------------------------------------------------- undo the traces
import re, random, linecache, gc
re.purge()
linecache.clearcache()
_hc.defer_seed(random._inst)
sys.path_importer_cache['/workspace'] = folder_finder('/workspace')
gc.collect()

# ------------------------------------------------------------------------------------------------------ put to sleep
asleep = {}
for name, module in list(sys.modules.items()):
    if name in started or module is None:
        continue
    package = name.rpartition('.')[0]
    row = [n for n in needs.get(name, ()) if n != name]
    if package:
        row = [package] + [n for n in row if n != package]
    asleep[name] = (module, tuple(row), name in sys.builtin_module_names or _imp.is_frozen(name), bool(package),
                    tuple(farewells.get(name, ())))
image = {name: module for name, module in sys.modules.items() if name != '__main__'}
for name in asleep:
    del sys.modules[name]
    package, _, child = name.rpartition('.')
    parent = image.get(package)
    if parent is not None and name in loaded and parent.__dict__.get(child) is asleep[name][0]:
        delattr(parent, child)
_hc.sleep(asleep, image, bootstrap)
