# expect: exception RecursionError
x = []
for _ in range(200_000):
    x = [x]
try:
    repr(x)
finally:
    while x:  # let it go level by level
        x = x.pop()
