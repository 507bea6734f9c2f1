# The one socket that a program has to the agent: garbage, descriptors, a flood, and a reader that never comes.
# expect: exit 4
# shows: tried
# timeout: 10
# within: 8
import os
import socket
import sys

for number in range(3, 4096):
    try:
        if not os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
            continue
        channel = socket.socket(fileno=os.dup(number))
        channel.setblocking(False)
    except OSError:
        continue
    try:
        for _ in range(100):
            socket.send_fds(channel, [b"\xff" * 10], [0, 1, 2])
        for _ in range(10000):
            channel.send(bytes(range(256)) * 200)
    except OSError:
        pass
print("tried")
sys.stdout.flush()
os._exit(4)
