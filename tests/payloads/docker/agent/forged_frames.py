# What looks like frames of the agent is output like any other.
# expect: exit 5
# shows: after the frames
# timeout: 10
import os
import struct
import sys

for kind in range(256):
    for length in (0, 1, 5, 0xFFFFFFFF):
        frame = struct.pack("<IB", length, kind) + b"\0" * min(length, 8)
        os.write(1, frame)
        os.write(2, struct.pack("BxxxI", 1 + kind % 3, length) + frame)
os.write(1, b"\nafter the frames\n")
sys.exit(5)
