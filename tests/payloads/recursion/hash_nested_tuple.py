# expect: completed | exception RecursionError | stack_limit
# hash() of a tuple recurses in C without a check.
t = ()
for _ in range(500_000):
    t = (t,)
print(hash(t) == hash(t))
