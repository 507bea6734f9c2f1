# Pipes made as large as allowed, and filled.
# expect: completed | memory_limit
# timeout: 15
import fcntl
import os

try:
    while True:
        reader, writer = os.pipe2(os.O_NONBLOCK)
        try:
            fcntl.fcntl(writer, 1031, 1 << 20)
        except PermissionError:
            pass
        try:
            while True:
                os.write(writer, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    print("refused", error.strerror)
