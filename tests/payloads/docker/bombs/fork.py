# The plain fork bomb: every process forks until it is refused, and dies of that.
# expect: process_limit | memory_limit
# timeout: 15
import os

while True:
    os.fork()
