# inotify and epoll: both are counted for each user, which is why each cell is one of its own.
# expect: completed
# shows: refused
# timeout: 15
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
instance = libc.inotify_init()
watches = 0
for folder, _, files in os.walk("/usr"):
    for name in files:
        if libc.inotify_add_watch(instance, os.path.join(folder, name).encode(), 2) < 0:
            break
        watches += 1
instances = 0
while libc.inotify_init() >= 0:
    instances += 1
print("refused after", instances, "instances,", watches, "watches")
