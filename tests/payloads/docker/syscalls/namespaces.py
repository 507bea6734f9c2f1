# A user namespace would give every right within it, and with that the code of the kernel behind those rights.
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


for name, flag in (
    ("user", 0x10000000),
    ("mount", 0x20000),
    ("net", 0x40000000),
    ("pid", 0x20000000),
    ("ipc", 0x08000000),
    ("uts", 0x04000000),
    ("cgroup", 0x02000000),
):
    refused("unshare " + name, 272, flag)
    refused("clone " + name, 56, flag | 17, 0, 0, 0, 0)
    refused("clone with files, " + name, 56, flag | 0x400 | 17, 0, 0, 0, 0)
for name in os.listdir("/proc/self/ns"):
    refused("setns " + name, 308, os.open("/proc/self/ns/" + name, os.O_RDONLY), 0)
# Its flags are in memory, where no filter can look; as if the kernel did not know it.
refused("clone3", 435, (ctypes.c_ulong * 11)(0x10000000, 0, 0, 0, 17), 88, by=(errno.ENOSYS,))
print("held")
