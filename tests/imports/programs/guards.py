import contextlib
from contextlib import suppress
try:
    import a1
except ImportError:
    a1 = None
try:
    import a2
except (ImportError, AttributeError):
    import b2
try:
    from a3 import x
except ModuleNotFoundError as error:
    print(error)
try:
    import a4
except Exception:
    pass
try:
    import a5
except:
    pass
try:
    import a6
except ValueError:
    pass
try:
    import a7
finally:
    import b7
try:
    import a8
except ImportError:
    raise
try:
    import a9
except ImportError:
    import sys
    print("install a9")
    sys.exit(1)
try:
    import a10
except ImportError as e:
    raise SystemExit("need a10") from e
try:
    import a11
except ValueError:
    pass
except ImportError:
    try:
        import b11
    except ImportError:
        import c11
else:
    import d11
finally:
    import e11
try:
    try:
        import a12
    except ValueError:
        pass
    import b12
except ImportError:
    pass
try:
    def f():
        import a13
    class K:
        import b13
    if x:
        import c13
    for i in x:
        import d13
    else:
        import e13
    with y:
        import f13
except ImportError:
    pass
with contextlib.suppress(ImportError):
    import a14
with suppress(ModuleNotFoundError, KeyError):
    import a15
    with open("x"):
        import b15
with suppress(KeyError):
    import a16
with open("a") as f, suppress(ImportError):
    import a17
try: import a18
except ImportError: exit()
try: import a19
except builtins.ImportError: pass
try:
    import a20
except* ImportError:
    pass
try:
    import a21
except MyImportErrorHandler:
    pass
try:
    import a22
except ImportError:
    if strict:
        raise
    a22 = None
try:
    import a23
# a comment between
except ImportError:  # and here
    # and here
    pass
