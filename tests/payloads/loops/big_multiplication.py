# expect: timeout
x = (1 << 40_000_000) - 1
for _ in range(10**6):
    y = x * x
