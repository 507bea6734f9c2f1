# The agent's channel to the host is a descriptor: it must neither be inherited nor be opened again. One socket may be
# there: by it an interpreter tells the agent about an error that nobody caught (error_channel.py).
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import os

channels = 0
for number in range(3, 4096):
    try:
        path = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        continue
    channels += path.startswith("socket:")
    if channels > 1 or not path.startswith("socket:"):
        print("OPEN: descriptor", number, path)
for number in range(16):
    for folder in ("fd", "map_files", "task/1/fd"):
        try:
            os.close(os.open(f"/proc/1/{folder}/{number}", os.O_WRONLY))
            print("OPEN: the agent's descriptor", number)
        except OSError:
            pass
try:
    print("OPEN: the agent's descriptors", os.listdir("/proc/1/fd"))
except OSError:
    pass
# Whoever holds the other end of the program's output must not be reached by writing to it in another way.
for number in (0, 1, 2):
    path = os.readlink(f"/proc/self/fd/{number}")
    if not path.startswith(("pipe:", "/dev/null", "socket:")):
        print("OPEN:", number, path)
print("held")
