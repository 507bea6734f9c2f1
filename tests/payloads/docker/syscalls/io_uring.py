# System calls in a queue, past every filter.
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


parameters = ctypes.create_string_buffer(120)
for entries in (1, 8, 4096):
    refused("io_uring_setup", 425, entries, parameters)
refused("io_uring_enter", 426, 0, 1, 0, 0, 0, 0)
refused("io_uring_register", 427, 0, 0, 0, 0)
context = ctypes.c_ulong()
refused("io_setup", 206, 65536, ctypes.byref(context))
print("held")
