# Sockets of every family and kind but those that programs use: raw ones, the hypervisor's, the packet filter's.
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


IP = {(1, 0), (1, 6), (2, 0), (2, 17)}
ALLOWED = {1: {(1, 0), (2, 0), (5, 0)}, 2: IP, 10: IP, 16: {(2, 0), (3, 0)}}  # family: kind and protocol
for family in range(0, 47):
    for kind in range(1, 11):
        for protocol in (0, 1, 2, 6, 12, 15, 16, 17, 58, 115, 132, 136, 255, 262):
            if (kind, protocol) not in ALLOWED.get(family, ()):
                refused(f"socket {family} {kind} {protocol}", 41, family, kind, protocol)
# What the kernel cuts off must not get past the filter.
refused("raw socket by high bits", 41, 2 | 1 << 32, 3, 255)
refused("raw socket by flags", 41, 2, 3 | 0o2000000, 255)
print("held")
