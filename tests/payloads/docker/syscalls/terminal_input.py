# TIOCSTI types on the terminal of whoever looks at it; the kernel cuts its number to 32 bits.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import errno
import os
import pty

libc = ctypes.CDLL(None, use_errno=True)


def refused(name, number, *words, by=(errno.EPERM,)):
    """The call must be refused with EPERM: not killed for, not let through to the kernel's own checks."""
    got = libc.syscall(number, *[ctypes.c_long(word) if isinstance(word, int) else word for word in words])
    code = ctypes.get_errno() if got == -1 else 0
    if code not in by:
        print("OPEN:", name, "gave", errno.errorcode.get(code, code))


master, slave = pty.openpty()
letter = ctypes.c_char(b"x")
for name, number in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C), ("TIOCCONS", 0x541D), ("TIOCSETD", 0x5423)):
    for high in (0, 1 << 32, 0xFFFFFFFF << 32):
        word = (high | number) if high < 1 << 63 else (high | number) - (1 << 64)
        refused(f"{name} with {high:x}", 16, slave, word, ctypes.byref(letter))
os.close(master)
print("held")
