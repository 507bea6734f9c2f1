# expect: completed
# shows: refused
import os, sys
if sys.platform != "wasi":
    raise SystemExit("refusing to run outside a cell")
for name, args in (("system", ("id",)), ("popen", ("id",)), ("execv", ("/bin/sh", ["sh"])), ("posix_spawn", ("/bin/sh", ["sh"], {})), ("mkfifo", ("f",))):
    try:
        print(name, getattr(os, name)(*args))
    except (OSError, AttributeError, NotImplementedError, RuntimeError, ModuleNotFoundError) as error:
        print("refused", name, type(error).__name__)
