# A Python interpreter that waits for its program. The agent starts `python3 /workspace/main.py` with this file as
# `sitecustomize`, from a ZIP archive in memory: so it runs inside the interpreter's own start, imports what programs
# usually import, and waits. When the program comes, it puts arguments, environment and directory in place, and returns.
# The interpreter then goes on as it always does: it opens main.py and runs it. What the program sees is what plain
# `python3 /workspace/main.py` shows, tracebacks, __main__, finalisation and all, with two exceptions: more modules are
# in sys.modules, and sys.excepthook is ours (it tells the agent about the exception, then does as the usual one).
#
# Descriptor 3 is the agent: it sends messages of u32 length and strings that each end in a NUL.
#
# Where the agent wishes a stem, it does not become a program itself: it makes copies that do, for a fraction of a start.
# It lives beside programs, which have its uid. So it lets nobody look into it, and learns nothing from anybody.
import atexit
import fcntl
import gc
import os
import site
import sys

ARCHIVE = '/proc/self/fd/4'
PACKAGES = '/opt/packages/'
USUAL = '''
    abc base64 bisect collections collections.abc contextlib copy csv dataclasses datetime decimal enum functools heapq
    io itertools json math operator os os.path pathlib random re statistics string struct sys textwrap threading time
    traceback types typing warnings
'''.split()


def move_agent(given):
    """Out of the way of the low numbers, and closed in every program that ours starts."""
    for lowest in 900, 200, 50, 5:
        try:
            moved = fcntl.fcntl(given, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:
            continue    # above the limit on descriptors
        os.close(given)
        return moved


def read_exactly(agent, size):
    data = b''
    while len(data) < size:
        more = os.read(agent, size - len(data))
        if not more:
            os._exit(0)    # it has no use for us
        data += more
    return data


def receive(agent):
    size = int.from_bytes(read_exactly(agent, 4), 'little')
    return read_exactly(agent, size).split(b'\0')[:-1]


def leave_no_trace():
    """The archive is gone from wherever the program could meet it."""
    rest = os.environ.get('PYTHONPATH', '').partition(':')[2]
    if rest:
        os.environ['PYTHONPATH'] = rest
    else:
        os.environ.pop('PYTHONPATH', None)
    sys.path[:] = [entry for entry in sys.path if entry != ARCHIVE]
    sys.path_importer_cache.pop(ARCHIVE, None)
    sys.modules['zipimport']._zip_directory_cache.pop(ARCHIVE, None)
    os.close(4)


def run_the_image_s_own():
    """The sitecustomize that this one stands in front of, if there is one. It finds itself in sys.modules, not us."""
    ours = sys.modules.pop('sitecustomize')
    try:
        import sitecustomize
    except ImportError as error:
        if error.name != 'sitecustomize':
            raise
        sys.modules['sitecustomize'] = ours    # whoever imports us takes that out again
        return False
    return True


def import_all(names):
    for name in names:
        try:
            __import__(name)
        except Exception:
            pass    # the program will get to know, if it wants this module


def no_user_s_own():
    """Looking for a usercustomize costs more than running most programs. It is looked for now."""
    usual = site.execusercustomize
    if site.ENABLE_USER_SITE:
        usual()

    def done():
        site.execusercustomize = usual
    site.execusercustomize = done


def keep_library_alive():
    """At exit the interpreter takes every module apart, object by object. Those of the library that the program found
    here are left out: they hold nothing of the program's that anybody would miss."""
    names = [name for name in sys.modules if name not in
             ('sys', 'builtins', '__main__', 'io', '_io', 'threading', '_thread', 'atexit', 'site')]
    alive = [sys.modules[name] for name in names]
    alive.append(alive)    # a ring that nothing points to and that, being frozen, is never collected

    def last(modules=sys.modules):
        for name in names:
            modules.pop(name, None)
    atexit.register(last)


def take_environment(entries):
    wanted = dict(entry.split(b'=', 1) for entry in entries)
    def now(name):
        return os.environb.get(name, b'')
    old_path, old_zone, old_home = now(b'PYTHONPATH'), now(b'TZ'), now(b'HOME')
    for name in [name for name in os.environb if name not in wanted]:
        del os.environb[name]
    for name, value in wanted.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    if now(b'TZ') != old_zone:
        import time
        time.tzset()
    if now(b'HOME') != old_home and site.ENABLE_USER_SITE:
        sys.path[:] = [entry for entry in sys.path if entry != site.USER_SITE]
        site.USER_BASE = site.USER_SITE = None    # worked out anew
        site.addusersitepackages(set())
    new_path = now(b'PYTHONPATH')
    if new_path != old_path:
        def folders(value):
            return [os.path.abspath(os.fsdecode(part)) for part in value.split(b':')] if value else []
        gone, added = folders(old_path), folders(new_path)
        sys.path[:] = added + [entry for entry in sys.path if entry not in gone and entry not in added]
        return [folder for folder in added if not folder.startswith(PACKAGES)]
    return []


def place_packages():
    """PYTHONPATH names the program's packages, for its children. Here they stand where those of a virtual environment
    do: behind the library, which none of them replaces, and before what the image brings."""
    packages = [entry for entry in sys.path if entry.startswith(PACKAGES)]
    if not packages:
        return
    others = [entry for entry in sys.path if entry not in packages]
    library = os.path.dirname(os.__file__)
    end = max((i + 1 for i, entry in enumerate(others)
               if entry.startswith(library) and not entry.endswith('-packages')), default=0)
    sys.path[:] = others[:end] + packages + others[end:]
    for folder in packages:
        site.addsitedir(folder, {*sys.path})    # it is there already: this reads its .pth files


def end_early():
    """CPython goes through all its strings and types when nobody can see it any more, which in a copy takes each page
    apart from the original: half of what a small program costs. So a copy whose program came to its end ends where the
    last module is taken apart: all destructors have run then. It ends as processes of C do, with what is registered
    there. That it came to its end, and its exit code is 0, shows in __main__: the interpreter has taken these two names
    away, and no others."""
    import ctypes, gc
    leave = ctypes.PyDLL(None).exit

    class End:
        def __del__(self, system=vars(sys), collect=gc.collect):
            try:
                collect()
                for name in 'stdout', 'stderr', '__stdout__', '__stderr__':
                    if system.get(name) is not None:
                        system[name].flush()
            except BaseException:
                return    # that has an exit code of its own
            leave(0)

    def place(modules=sys.modules):
        main = vars(modules['__main__'])
        left = {'__name__', '__doc__', '__package__', '__loader__', '__spec__', '__builtins__'}
        if left <= main.keys() and not {'__file__', '__cached__'} & main.keys() and not hasattr(sys, 'last_value'):
            sys._end = End()
    atexit.register(place)


def become_stem():
    try:
        import _signal, _socket
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        let_look_into_us(False)
        end_early()
    except BaseException as error:
        os.write(2, f'it cannot be copied: {error}\n'.encode())
        os._exit(126)


def make_copies(agent):
    """Each byte from the agent asks for a copy, and brings the descriptors that it gets: its streams, and an agent of
    its own. The answer is its pid. Returns in the copies only: those are the agent's children, not ours."""
    import _signal, _socket
    channel = _socket.socket(fileno=agent)
    while True:
        wish, extra, _, _ = channel.recvmsg(1, _socket.CMSG_SPACE(16))
        if not wish:
            os._exit(0)    # it has no use for us
        given = memoryview(extra[0][2]).cast('i').tolist()
        reader, writer = os.pipe()
        between = os.fork()
        if between == 0:
            if os.fork():
                os._exit(0)
            os.setsid()
            for place in range(3):
                os.dup2(given[place], place)
                os.close(given[place])
            channel.close()
            os.close(reader)
            let_look_into_us(True)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
            while os.getppid() != 1:
                os.sched_yield()
            os.write(writer, os.getpid().to_bytes(4, 'little'))
            os.close(writer)
            return move_agent(given[3])
        for descriptor in writer, *given:
            os.close(descriptor)
        os.waitpid(between, 0)
        channel.send(os.read(reader, 4) or bytes(4))
        os.close(reader)


def let_look_into_us(yes):
    """Who is not "dumpable" cannot be traced, read or have its descriptors opened by others of its uid."""
    import ctypes
    if ctypes.CDLL(None).prctl(4, int(yes), 0, 0, 0) != 0:
        os._exit(126)


def make_main_anew():
    """A frozen dictionary is not collected, and the program's own names are to be, at its end: destructors run then."""
    old, new = sys.modules['__main__'], type(sys)('__main__')
    new.__dict__.clear()
    new.__dict__.update(old.__dict__)
    sys.modules['__main__'] = new


def forget_if_shadowed(folders, early, started):
    """A module of the program's own comes before one of the library of the same name. If there is one, the program's
    imports begin from nothing."""
    for folder in folders:
        try:
            here = os.listdir(folder)
        except OSError:
            continue
        if any(name.partition('.')[0] in early for name in here):
            for name in [name for name in sys.modules if name not in started]:
                del sys.modules[name]
            return


def tell_of_exceptions(agent, program):
    """As sys.__excepthook__, and the agent learns name, message, line, errno and text. The text is made once, since
    making it runs the program's code."""
    StringIO = sys.modules['io'].StringIO
    usual, stderr, os_write = sys.__excepthook__, sys.stderr, os.write

    def line_of(value, traceback):
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == program:
                line = traceback.tb_lineno or line
            traceback = traceback.tb_next
        if isinstance(value, SyntaxError) and value.filename == program and isinstance(value.lineno, int):
            line = value.lineno
        return line

    def name_of(kind):
        module = kind.__module__
        return kind.__qualname__ if module in ('builtins', '__main__') else f'{module}.{kind.__qualname__}'

    def message_of(kind, value, name, text):
        known = next((base for base in kind.__mro__ if '__str__' in base.__dict__), BaseException)
        if not known.__flags__ & 1 << 9:    # no class of the program's or the library's: str() runs no Python code
            return str(value)
        _, found, message = text.rpartition('\n' + name + ': ')
        return message.rstrip('\n') if found else ''

    def tell(kind, value, traceback, text):
        name = name_of(kind)
        error = value.errno if isinstance(value, OSError) and isinstance(value.errno, int) else 0
        parts = name, message_of(kind, value, name, text), text, str(line_of(value, traceback)), str(error)
        cap = 256 << 10
        fields = [part.encode('utf-8', 'backslashreplace').replace(b'\0', b'\\0') for part in parts]
        cut = any(len(field) > cap for field in fields)
        data = b'\0'.join([field[:cap] for field in fields] + [b'1' if cut else b'0', b''])
        data = b'e' + len(data).to_bytes(4, 'little') + data
        while data:
            data = data[os_write(agent, data):]

    def excepthook(kind, value, traceback):
        text = None
        if sys.stderr is stderr and stderr is not None:
            try:
                buffer = sys.stderr = StringIO()
                try:
                    usual(kind, value, traceback)
                finally:
                    sys.stderr = stderr
                text = buffer.getvalue()
            except BaseException:
                text = None
        if text is None:
            usual(kind, value, traceback)
        else:
            stderr.write(text)
            stderr.flush()
        try:
            tell(kind, value, traceback, text or '')
        except BaseException:
            pass

    sys.excepthook = sys.__excepthook__ = excepthook    # one and the same: that is how others see that it is the usual


def wait_for_program():
    agent = move_agent(3)
    leave_no_trace()
    own = run_the_image_s_own()
    no_user_s_own()
    started = set(sys.modules) | {'sitecustomize'}
    wishes = receive(agent)
    kind = wishes.pop(0)
    if kind != b'0':
        import_all(USUAL)
    if kind == b'2':
        become_stem()
    import_all(os.fsdecode(name) for name in wishes)
    early = {name for name in sys.modules if '.' not in name} - started
    keep_library_alive()
    if early:
        gc.collect()
    gc.freeze()
    make_main_anew()
    os.write(agent, b'w' + sys.version.split()[0].encode() + b'\0')
    if kind == b'2':
        agent = make_copies(agent)

    order = receive(agent)
    program, count = os.fsdecode(order[0]), int(order[2])
    os.chdir(order[1])
    arguments = [os.fsdecode(argument) for argument in order[3:3 + count]]
    sys.argv[1:] = arguments
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv += arguments
    folders = take_environment(order[3 + count:])
    forget_if_shadowed([os.path.dirname(program), *folders], early, started)
    place_packages()
    if 'random' in sys.modules:
        sys.modules['random'].seed()
    tell_of_exceptions(agent, program)
    return own


if sys.version_info < (3, 7):    # site comes before sys.argv there
    os.write(2, b'hotcell needs Python 3.7 or newer\n')
    os._exit(126)
try:
    its_own = wait_for_program()
except OSError as error:
    os.write(2, f'the kernel could not become the program: {error}\n'.encode())
    os._exit(126)
if not its_own:
    raise ImportError('there is no other', name='sitecustomize')
