# Ignores every signal that can be ignored, and has children that do.
# expect: timeout
# timeout: 2
import os
import signal
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
for _ in range(3):
    os.fork()
while True:
    time.sleep(1)
