# Not to be found: sleeps with a mark in its arguments, in its files, in shared memory, on a port and under a name.
# Others run beside it.
# expect: timeout
# timeout: 6
import ctypes
import multiprocessing.shared_memory
import os
import socket
import time

mark = "hotcell-neighbour-mark"
if os.environ.get("MARK") != mark:
    os.execve("/usr/bin/python3", ["python3", __file__, mark], {**os.environ, "MARK": mark})
open("/tmp/" + mark, "w").write(mark)
open("/workspace/" + mark, "w").write(mark)
open("/dev/shm/" + mark, "w").write(mark)
ctypes.CDLL(None).shmget(0x4D41524B, 4096, 0o1666)
server = socket.create_server(("127.0.0.1", 4711))
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0" + mark)
abstract.listen()
print("there", flush=True)
time.sleep(100)
