# expect: exception RecursionError | stack_limit | memory_limit
# timeout: 10
import sys
sys.setrecursionlimit(10**9)
a, b = [], []
a.append(b)
b.append(a)
a == b
