# Every processor busy, every process slot taken, and output without end: the agent must still see the deadline.
# expect: timeout
# truncated: stdout
# timeout: 3
import os
import threading

while True:
    try:
        if os.fork() == 0:
            continue
    except OSError:
        break
while True:
    os.write(1, b"x" * 65536)
