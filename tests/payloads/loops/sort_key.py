# expect: timeout
def key(value):
    while True:
        value += 1
sorted([3, 1, 2], key=key)
