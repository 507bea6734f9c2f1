# expect: memory_limit | exception
# timeout: 10
x = bytearray(2**31 - 64)
