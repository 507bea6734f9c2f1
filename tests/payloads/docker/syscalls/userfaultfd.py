# Pausing the kernel in the middle of a copy.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import errno

libc = ctypes.CDLL(None, use_errno=True)


def refused(name, number, *words, by=(errno.EPERM,)):
    """The call must be refused with EPERM: not killed for, not let through to the kernel's own checks."""
    got = libc.syscall(number, *[ctypes.c_long(word) if isinstance(word, int) else word for word in words])
    code = ctypes.get_errno() if got == -1 else 0
    if code not in by:
        print("OPEN:", name, "gave", errno.errorcode.get(code, code))


for flags in (0, 1, 0o2000000, 0o2004001):
    refused("userfaultfd", 323, flags)
refused("memfd_secret", 447, 0)
refused("vmsplice", 278, 1, 0, 0, 0)
print("held")
