# expect: memory_limit | timeout
# timeout: 20
def g():
    hold = bytearray(10_000)
    yield hold
alive = []
while True:
    one = g()
    next(one)
    alive.append(one)
