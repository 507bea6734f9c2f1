# expect: exception RecursionError
class D:
    def __get__(self, o, k): return o.d
class A:
    d = D()
A().d
