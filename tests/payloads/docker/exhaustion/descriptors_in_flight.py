# Descriptors sent and never received: sockets within sockets, which only the kernel's collector finds.
# expect: completed | memory_limit
# timeout: 15
import socket

try:
    for _ in range(400):
        first, second = socket.socketpair()
        for _ in range(100):
            socket.send_fds(first, [b"x"], [second.fileno()])
        first.close()
        second.close()
except OSError as error:
    print("refused", error.strerror)
