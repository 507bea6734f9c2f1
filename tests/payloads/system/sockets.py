# expect: completed
# shows: refused
import socket
for attempt in (lambda: socket.create_connection(("127.0.0.1", 80), 1), lambda: socket.socket().bind(("0.0.0.0", 8000)),
                lambda: socket.socketpair(), lambda: socket.getaddrinfo("localhost", 80), lambda: socket.gethostname()):
    try:
        attempt()
        print("worked")
    except (OSError, AttributeError) as error:
        print("refused", type(error).__name__)
