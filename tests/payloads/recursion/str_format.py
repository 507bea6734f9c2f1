# expect: exception RecursionError
class A:
    def __format__(self, spec): return f"{self}"
f"{A()}"
