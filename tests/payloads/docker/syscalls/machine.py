# What changes or stops the machine.
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


zeros = ctypes.create_string_buffer(256)
refused("reboot", 169, 0xFEE1DEAD, 672274793, 0, 0)
refused("kexec_load", 246, 0, 0, 0, 0)
refused("kexec_file_load", 320, -1, -1, 0, 0, 0)
refused("init_module", 175, zeros, 256, b"")
refused("finit_module", 313, -1, b"", 0)
refused("delete_module", 176, b"ext4", 0)
refused("swapon", 167, b"/tmp/x", 0)
refused("swapoff", 168, b"/tmp/x")
refused("acct", 163, 0)
refused("settimeofday", 164, zeros, 0)
refused("clock_settime", 227, 0, zeros)
refused("adjtimex", 159, zeros)
refused("sethostname", 170, b"x", 1)
refused("setdomainname", 171, b"x", 1)
refused("iopl", 172, 3)
refused("ioperm", 173, 0, 1, 1)
refused("vhangup", 153)
refused("sync", 162)
refused("syncfs", 306, 0)
refused("quotactl", 179, 0x800002 << 8, 0, 0, zeros)
refused("name_to_handle_at", 303, -100, b"/etc/passwd", zeros, zeros, 0)
refused("open_by_handle_at", 304, 0, zeros, 0)
refused("fanotify_init", 300, 0, 0)
refused("readable is executable", 135, 0x400000)
refused("core scheduling", 157, 62, 1, 0, 0, 0)
for words in ((237, 0, 0, 0, 0, 0, 0), (238, 0, 0, 0), (239, 0, 0, 0, 0, 0)):
    refused("memory policy", *words)
print("held")
