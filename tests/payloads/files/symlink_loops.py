# expect: completed
# shows: refused
import os
try:
    os.symlink("b", "a")
    os.symlink("a", "b")
    os.symlink(".", "self")
    for path in ("a", "b/x", "/".join(["self"] * 1000)):
        try:
            os.stat(path)
            print("resolved", len(path))
        except OSError as error:
            print("refused", type(error).__name__)
except OSError as error:
    print("refused", type(error).__name__)
