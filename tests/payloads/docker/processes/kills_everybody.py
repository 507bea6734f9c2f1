# kill(-1): everything but the caller and pid 1.
# expect: completed
# shows: still here
# timeout: 10
import os
import signal
import time

for _ in range(3):
    if os.fork() == 0:
        time.sleep(100)
os.kill(-1, signal.SIGKILL)
print("still here")
