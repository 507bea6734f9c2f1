# expect: memory_limit
# timeout: 20
hoard = []
while True:
    hoard.append([None] * 50)
