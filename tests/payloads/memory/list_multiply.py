# expect: memory_limit
# timeout: 10
x = [0] * 10**9
