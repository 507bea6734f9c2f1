# As many processes as there may be, all of which want memory at the same time.
# expect: memory_limit | process_limit
# timeout: 20
import os
import sys

children = 0
for _ in range(40):
    if os.fork() == 0:
        kept = []
        while True:
            kept.append(b"x" * (1 << 20))
    children += 1
sys.exit(1 if any([os.wait()[1] for _ in range(children)]) else 0)
