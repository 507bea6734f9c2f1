# The devices that a program may have, and no other.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import os
import stat

KNOWN = {
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "ptmx",
    "pts",
    "shm",
    "mqueue",
    "fd",
    "stdin",
    "stdout",
    "stderr",
    "core",
    "console",
}
for name in os.listdir("/dev"):
    if name not in KNOWN:
        print("OPEN: /dev/" + name)
for folder, _, files in os.walk("/"):
    for name in files:
        path = os.path.join(folder, name)
        try:
            if stat.S_ISBLK(os.lstat(path).st_mode):
                print("OPEN: a block device at", path)
        except OSError:
            pass
for major, minor in ((1, 1), (8, 0), (254, 0), (10, 229), (10, 200)):
    for folder in ("/tmp", "/workspace", "/dev/shm"):
        for kind in (stat.S_IFCHR, stat.S_IFBLK):
            try:
                os.mknod(f"{folder}/node", kind | 0o666, os.makedev(major, minor))
                print("OPEN: a device was made in", folder)
            except PermissionError:
                pass
print("held")
