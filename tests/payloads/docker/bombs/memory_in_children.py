# The children eat, the parent looks on: it must be told apart from a program that merely failed.
# expect: memory_limit
# timeout: 20
import os
import sys

for _ in range(4):
    if os.fork() == 0:
        kept = []
        while True:
            kept.append(b"x" * (8 << 20))
statuses = [os.wait()[1] for _ in range(4)]
sys.exit(1 if any(statuses) else 0)
