# A program may talk to itself.
# expect: completed
# shows: hello
# timeout: 10
import socket
import threading

server = socket.create_server(("127.0.0.1", 0))


def serve():
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()


threading.Thread(target=serve).start()
with socket.create_connection(server.getsockname()) as client:
    print(client.recv(10).decode())
