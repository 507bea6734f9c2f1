# expect: completed | exception RecursionError | stack_limit
# timeout: 10
import itertools
it = iter([1])
for _ in range(100_000):
    it = itertools.chain(it)
print(next(it))
