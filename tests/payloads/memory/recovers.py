# expect: completed
# timeout: 20
# shows: recovered 4
# A refused growth is an exception: a program that copes with it goes on and completes.
hoard = []
try:
    while True:
        hoard.append(bytearray(1_000_000))
except MemoryError:
    hoard.clear()
print("recovered", 2 + 2)
