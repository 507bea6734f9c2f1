# expect: memory_limit
# timeout: 20
x = list(range(10**9))
