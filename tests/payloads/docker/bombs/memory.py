# More memory than there is, in the program itself. Written to, since only then it is used.
# expect: memory_limit
# timeout: 20
kept = []
while True:
    kept.append(b"x" * (8 << 20))
