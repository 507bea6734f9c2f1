# Looks for another cell that runs at the same time.
# beside: isolation/neighbour.py
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import os
import socket

MARK = "hotcell-neighbour-mark"
children = {str(os.getpid()), "1", str(os.getppid())}
for entry in os.listdir("/proc"):
    if entry.isdigit():
        try:
            arguments = open(f"/proc/{entry}/cmdline", "rb").read()
        except OSError:
            continue
        if MARK.encode() in arguments:
            print("OPEN: its process", entry)
for folder in ("/tmp", "/workspace", "/dev/shm", "/dev/mqueue"):
    if MARK in os.listdir(folder):
        print("OPEN: its file in", folder)
if ctypes.CDLL(None).shmget(0x4D41524B, 4096, 0o666) >= 0:
    print("OPEN: its memory")
for family, address in ((socket.AF_INET, ("127.0.0.1", 4711)), (socket.AF_UNIX, "\0" + MARK)):
    try:
        with socket.socket(family) as channel:
            channel.connect(address)
            print("OPEN: its socket", address)
    except OSError:
        pass
if MARK in open("/proc/net/unix").read():
    print("OPEN: its name")
if len(open("/proc/sysvipc/shm").read().splitlines()) > 1:
    print("OPEN: somebody's segment")
print("held")
