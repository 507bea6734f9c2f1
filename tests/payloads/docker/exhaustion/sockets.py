# Sockets whose buffers are full: memory of the kernel, charged to the cell.
# expect: completed | memory_limit
# timeout: 15
import socket

kept = []
try:
    while True:
        pair = socket.socketpair()
        kept.append(pair)
        for end in pair:
            end.setblocking(False)
            try:
                while True:
                    end.send(b"x" * 65536)
            except BlockingIOError:
                pass
except OSError as error:
    print("refused", error.strerror)
