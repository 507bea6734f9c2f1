# Pseudo-terminals are counted for the whole machine.
# expect: completed
# shows: had enough
# timeout: 15
import os

for _ in range(3):
    if os.fork() == 0:
        break
try:
    while True:
        os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
except OSError:
    pass
print("had enough", flush=True)
