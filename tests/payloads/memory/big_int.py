# expect: memory_limit | timeout
# timeout: 10
x = 1
while True:
    x <<= 100_000_000
