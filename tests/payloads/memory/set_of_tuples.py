# expect: memory_limit
# timeout: 20
s = set()
i = 0
while True:
    s.add((i,) * 200)
    i += 1
