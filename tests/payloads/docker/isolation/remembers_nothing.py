# What an earlier program left, anywhere that it may write, is not here. The same program several times: none may find
# anything.
# repeat: 3
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import os

for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/workspace"):
    left = [name for name in os.listdir(folder) if not name.startswith("main.")]
    if left:
        print("OPEN:", folder, left)
    try:
        open(folder + "/left behind", "w").write("x")
    except OSError:
        pass
libc = ctypes.CDLL(None)
for path in ("shm", "msg", "sem"):
    if len(open("/proc/sysvipc/" + path).read().splitlines()) > 1:
        print("OPEN: something in", path)
libc.shmget(0x1234, 4096, 0o1666)
libc.msgget(0x1234, 0o1666)
libc.semget(0x1234, 1, 0o1666)
print("held")
