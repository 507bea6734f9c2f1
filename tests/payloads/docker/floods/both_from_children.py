# Output without end on both streams, from several processes at once.
# expect: timeout
# truncated: stdout stderr
# timeout: 3
import os

for _ in range(3):
    os.fork()
while True:
    os.write(1, b"out " * 4000)
    os.write(2, b"err " * 4000)
