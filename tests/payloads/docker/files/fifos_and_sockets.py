# Opening these would wait for ever, or reach somebody.
# expect: completed
# within: 6
# files: plain.txt
# timeout: 20
import os
import socket

os.mkfifo("fifo")
os.mkfifo("fifo.txt", 0o666)
socket.socket(socket.AF_UNIX).bind("socket")
os.mkdir("deeper")
os.mkfifo("deeper/fifo")
open("plain.txt", "w").write("plain")
