# expect: exception RecursionError | stack_limit | memory_limit | timeout
# timeout: 10
import sys
sys.setrecursionlimit(10**9)
class A:
    def __getattr__(self, name): return getattr(self, name)
A().x
