# Tries to make a file in every folder and to write to every file that there is.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 30
import os
import stat

EXPECTED = (
    "/workspace",
    "/tmp",
    "/dev/shm",
    "/dev/mqueue",
    *(f"/proc/{name}" for name in os.listdir("/proc") if name.isdigit()),
    "/proc/self",
    "/proc/thread-self",
)  # those of processes: proc.py
HARMLESS = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts/ptmx"}
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(EXPECTED)]
    if not folder.startswith(EXPECTED):
        try:
            os.close(os.open(os.path.join(folder, "new"), os.O_CREAT | os.O_WRONLY))
            print("OPEN: a file made in", folder)
        except OSError:
            pass
    for name in files:
        path = os.path.join(folder, name)
        try:
            status = os.lstat(path)
            # What is masked has /dev/null laid over it.
            masked = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)
            if masked or stat.S_ISLNK(status.st_mode) or path in HARMLESS:
                continue
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
            print("OPEN: may write to", path)
        except OSError:
            pass
for act in (
    lambda: os.rename("/usr", "/usr2"),
    lambda: os.unlink("/bin"),
    lambda: os.rmdir("/mnt"),
    lambda: os.chmod("/", 0o777),
    lambda: os.symlink("/tmp", "/link"),
    lambda: os.rename("/workspace", "/w"),
    lambda: os.rmdir("/workspace"),
):
    try:
        act()
        print("OPEN: the root was changed")
    except OSError:
        pass
print("held")
