# expect: memory_limit | stack_limit | timeout
# timeout: 20
import sys
sys.setrecursionlimit(2**31 - 1)
def deeper(n):
    return deeper(n + 1)
deeper(0)
