# Programs in the kernel, and counters that tell of others.
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


attributes = ctypes.create_string_buffer(128)
for command in range(0, 36):
    refused(f"bpf {command}", 321, command, attributes, 128)
attributes[4] = 112
for kind in range(0, 6):
    attributes[0] = kind
    refused(f"perf {kind}", 298, attributes, 0, -1, -1, 0)
refused("seccomp", 317, 1, 0, attributes)
refused("syslog", 103, 3, attributes, 100)
refused("lookup_dcookie", 212, 1, attributes, 100)
print("held")
