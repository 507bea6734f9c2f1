# Mounting, in the old way and in the new one.
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


refused("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
refused("bind mount", 165, b"/", b"/tmp", 0, 4096, 0)
refused("umount", 166, b"/proc/sys", 2)
refused("pivot_root", 155, b"/tmp", b"/tmp")
refused("chroot", 161, b"/tmp")
refused("open_tree", 428, -100, b"/", 1)
refused("move_mount", 429, -100, b"/", -100, b"/tmp", 0)
refused("fsopen", 430, b"tmpfs", 0)
refused("fspick", 433, -100, b"/", 0)
refused("mount_setattr", 442, -100, b"/", 0, 0, 32)
print("held")
