# Stops all it may signal, pid 1 among them.
# expect: completed
# shows: still here
# timeout: 10
import os
import signal
import time

for _ in range(3):
    if os.fork() == 0:
        time.sleep(100)
for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
    os.kill(1, number)
    os.kill(-1, number)
print("still here")
