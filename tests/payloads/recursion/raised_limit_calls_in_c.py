# expect: exception RecursionError | stack_limit | memory_limit | timeout
# timeout: 10
# With the guard off, C recursion meets the real end of the stack.
import sys
sys.setrecursionlimit(10**9)
class A:
    def __repr__(self): return repr([self.other])
a = A()
a.other = a
repr(a)
