# The daemon is not to be reached, by file or by network.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 20
import os
import socket
import stat

for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                print("OPEN: a socket at", path)
        except OSError:
            pass
for path in (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/dbus/system_bus_socket",
):
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(path)
            print("OPEN:", path)
        except OSError:
            pass
# Abstract sockets belong to the network namespace: the host's must not be here.
for line in open("/proc/net/unix").read().splitlines()[1:]:
    if len(line.split()) > 7:
        print("OPEN: the socket", line.split()[7])
for port in (2375, 2376):
    with socket.socket() as channel:
        try:
            channel.connect(("127.0.0.1", port))
            print("OPEN: port", port)
        except OSError:
            pass
print("held")
