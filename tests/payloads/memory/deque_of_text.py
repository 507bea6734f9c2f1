# expect: memory_limit
# timeout: 20
import collections
d = collections.deque()
while True:
    d.append("x" * 200_000)
