# Times that no calendar has: the file must count as changed all the same.
# expect: completed
# files: a b c
# timeout: 10
import os

for name, when in (("a", 0), ("b", -(1 << 40)), ("c", 1 << 50)):
    open(name, "w").write(name)
    try:
        os.utime(name, (when, when))
    except OSError:
        pass
