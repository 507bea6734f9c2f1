# expect: memory_limit
# timeout: 10
x = bytes(10**9)
