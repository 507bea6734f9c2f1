# Looking into other processes, and into their descriptors.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)


def refused(name, number, *words, by=(errno.EPERM,)):
    """The call must be refused with EPERM: not killed for, not let through to the kernel's own checks."""
    got = libc.syscall(number, *[ctypes.c_long(word) if isinstance(word, int) else word for word in words])
    code = ctypes.get_errno() if got == -1 else 0
    if code not in by:
        print("OPEN:", name, "gave", errno.errorcode.get(code, code))


child = os.fork()
if child == 0:
    import time

    time.sleep(100)
page = ctypes.create_string_buffer(16)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(page), 16)
for pid in (child, 1):
    refused("attach", 101, 16, pid, 0, 0)
    refused("seize", 101, 0x4206, pid, 0, 0)
    refused("read", 310, pid, vector, 1, vector, 1, 0)
    refused("write", 311, pid, vector, 1, vector, 1, 0)
    refused("kcmp", 312, os.getpid(), pid, 2, 0, 0)
    refused("migrate_pages", 256, pid, 0, 0, 0)
    refused("move_pages", 279, pid, 0, 0, 0, 0, 0)
    refused("pidfd_getfd", 438, os.pidfd_open(pid), 0, 0)
    refused("process_madvise", 440, os.pidfd_open(pid), vector, 1, 20, 0)
refused("be traced", 101, 0, 0, 0, 0)
os.kill(child, 9)
print("held")
