# Calls: naive recursion.
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(sum(fib(n) for n in range(31)))
