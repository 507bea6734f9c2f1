# expect: memory_limit
# timeout: 10
hoard = []
while True:
    hoard.append(bytearray(100_000))
