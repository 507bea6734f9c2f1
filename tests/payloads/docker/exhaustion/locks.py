# Locks of ranges of a file: one record of the kernel for each.
# expect: completed | memory_limit | timeout
# timeout: 15
import fcntl

with open("/tmp/locked", "wb") as file:
    try:
        for number in range(300000):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, number * 2)
    except OSError as error:
        print("refused", error.strerror)
