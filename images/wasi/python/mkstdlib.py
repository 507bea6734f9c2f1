#!/usr/bin/python3.11
"""Compiles the standard library and packs its sources.

usage: mkstdlib.py OUT BOOT.py DIR...

Of two directories that hold the same file the first wins: Debian's installed library (what a native interpreter shows in
tracebacks) before the source tree's. Writes OUT/stdlib.bin (code), OUT/stdlib_table.c (its index, linked into the module)
and OUT/tree/usr/lib/python3.11/... (the sources and data files, for mkpack.py).
"""
import marshal
import pathlib
import re
import shutil
import sys

HOME = 'usr/lib/python3.11'
OMIT = re.compile(r'(^|/)(test|tests|__pycache__|idle_test|lib-dynload|site-packages|dist-packages|_bundled|'
                  r'config-3\.11[^/]*)/|^(ensurepip|venv|idlelib|tkinter|turtledemo|msilib)/|'
                  r'^(turtle|sitecustomize|_aix_support|_osx_support|_sysconfigdata_[^/]*)\.py$|(^|/)\.')
DATA = ('.txt', '.css', '.rst', '.csv', '.json')

# WASI has no socketpair(), and a single-threaded event loop needs no pipe to wake itself up. The lines stay where they
# are, so that tracebacks show the native numbers.
# The warning tells people to use OpenSSL's; there is none here.
PATCHES = {'asyncio/selector_events.py': [
    ('        self._ssock, self._csock = socket.socketpair()\n        self._ssock.setblocking(False)\n'
     '        self._csock.setblocking(False)\n        self._internal_fds += 1\n        self._add_reader(self._ssock.fileno(), self._read_from_self)\n',
     '        self._ssock = self._csock = None    # hotcell: no socket pairs here, and no other thread to wake us\n\n\n\n\n'),
    ('        self._remove_reader(self._ssock.fileno())\n        self._ssock.close()\n        self._ssock = None\n'
     '        self._csock.close()\n        self._csock = None\n        self._internal_fds -= 1\n', '        return\n\n\n\n\n\n')], 'hashlib.py': [
    ('        _warn(\n            "Python implementation of pbkdf2_hmac() is deprecated.",\n            category=DeprecationWarning,\n'
     '            stacklevel=2\n        )\n', '\n\n\n\n\n')]}

SYSCONFIG = '''# What sysconfig knows about this build.
build_time_vars = {'prefix': '/usr', 'exec_prefix': '/usr', 'VERSION': '3.11', 'LDVERSION': '3.11', 'EXT_SUFFIX': '.cpython-311-wasm32-wasi.so',
                   'SOABI': 'cpython-311-wasm32-wasi', 'TZPATH': '/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo',
                   'PY_CORE_LDFLAGS': '', 'MULTIARCH': 'wasm32-wasi', 'srcdir': '.', 'LIBDIR': '/usr/lib', 'HAVE_GETTIMEOFDAY': 1, 'Py_DEBUG': 0,
                   'WITH_PYMALLOC': 1}
'''


def main(out, boot, *sources):
    out = pathlib.Path(out)
    tree = out / 'tree' / HOME
    if tree.exists():
        shutil.rmtree(tree)
    files = {}
    for source in reversed(sources):
        for file in pathlib.Path(source).rglob('*'):
            name = file.relative_to(source).as_posix()
            if file.is_file() and not OMIT.search(name) and (name.endswith('.py') or name.endswith(DATA)):
                files[name] = file.read_bytes()
    for name in ('_sysconfigdata__wasm32-wasi.py', '_sysconfigdata__wasi_wasm32-wasi.py'):    # Debian's name, CPython's name
        files[name] = SYSCONFIG.encode()
    for name, changes in PATCHES.items():
        text = files[name].decode()
        for old, new in changes:
            if old not in text:
                sys.exit(f'mkstdlib: {name} is not as expected')
            text = text.replace(old, new)
        files[name] = text.encode()
    blob, rows = bytearray(), []

    def add(module, code, package):
        blob.extend(bytes(-len(blob) % 8))
        data = marshal.dumps(code)
        rows.append((module.encode(), len(blob), len(data), package))
        blob.extend(data)

    for name, data in sorted(files.items()):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if not name.endswith('.py'):
            continue
        module = name[:-3].replace('/', '.')
        package = module.endswith('.__init__')
        try:
            code = compile(data, f'/{HOME}/{name}', 'exec', dont_inherit=True, optimize=0)
        except SyntaxError:
            continue    # lib2to3 holds some on purpose
        add(module[:-9] if package else module, code, int(package))
    add('_hc_boot', compile(pathlib.Path(boot).read_bytes(), '<frozen importlib._bootstrap_external>', 'exec',
                            dont_inherit=True, optimize=0), 0)
    rows.sort()
    (out / 'stdlib.bin').write_bytes(blob)
    with open(out / 'stdlib_table.c', 'w') as f:
        f.write('#include "hc_modules.h"\n'
                'const unsigned char hc_stdlib_code[] __attribute__((aligned(16))) = {\n#embed "stdlib.bin"\n};\n'
                f'const unsigned hc_stdlib_count = {len(rows)};\nconst struct hc_stdlib_module hc_stdlib[] = {{\n')
        for module, offset, size, package in rows:
            f.write(f'    {{"{module.decode()}", {offset}, {size}, {package}}},\n')
        f.write('};\n')
    print(f'{len(rows)} modules, {len(blob)} bytes of code')


main(*sys.argv[1:])
