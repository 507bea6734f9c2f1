# expect: exception RecursionError | stack_limit
import functools
class P(functools.partial):
    pass
p = functools.partial(int)
for _ in range(100_000):
    p = P(p)
    p.__dict__["x"] = 1
p()
