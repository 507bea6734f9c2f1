# expect: timeout | memory_limit
hoard = []
while True:
    try:
        while True:
            hoard.append(bytearray(1_000_000))
    except MemoryError:
        pass
