# The kernel's keys are not divided among containers.
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


for command in range(0, 32):
    refused(f"keyctl {command}", 250, command, -3, 0, 0, 0)
refused("add_key", 248, b"user", b"mine", b"secret", 6, -3)
refused("request_key", 249, b"user", b"mine", 0, -3)
print("held")
