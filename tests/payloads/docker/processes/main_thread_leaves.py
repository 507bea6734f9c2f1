# The first thread ends, another goes on: the process is a zombie that still runs.
# expect: timeout
# timeout: 3
import ctypes
import threading


def spin():
    while True:
        pass


threading.Thread(target=spin).start()
ctypes.CDLL(None).syscall(60, 0)
