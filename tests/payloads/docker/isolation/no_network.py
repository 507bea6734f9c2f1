# One interface, no route, no name that resolves. Nothing is sent: connecting a datagram socket only asks for a route.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 20
import socket

for _, name in socket.if_nameindex():
    if name != "lo":
        print("OPEN: interface", name)
for line in open("/proc/net/route").read().splitlines()[1:]:
    print("OPEN: route", line)
for family, address in (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET, "169.254.169.254"),
    (socket.AF_INET, "172.17.0.1"),
    (socket.AF_INET6, "2001:db8::1"),
    (socket.AF_INET6, "fe80::1"),
):
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as channel:
            channel.connect((address, 53))
            print("OPEN: a route to", address)
    except OSError:
        pass
for name in ("example.com", "host.docker.internal", "gateway.docker.internal", "metadata.google.internal"):
    try:
        print("OPEN:", name, socket.getaddrinfo(name, 80))
    except OSError:
        pass
print("held")
