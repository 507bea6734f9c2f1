# expect: exception RecursionError
kinds = int
for _ in range(100_000):
    kinds = (str, kinds)
isinstance(3.5, kinds)
