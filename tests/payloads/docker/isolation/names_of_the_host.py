# The cell has names of its own: a host, a control group, a pid 1.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import os
import socket

for line in open("/proc/self/cgroup").read().splitlines():
    if line.split(":", 2)[2] != "/":
        print("OPEN: the control group", line)
if os.getpid() > 1000:
    print("OPEN: the host's process numbers", os.getpid())
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 10:
    print("OPEN: the host's processes")
hostname = socket.gethostname()
print("held", len(hostname) > 0)
