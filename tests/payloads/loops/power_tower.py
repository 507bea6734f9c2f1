# expect: timeout | memory_limit
# One C call: only a trap ends it, never the eval loop.
print(len(str(10**10**8)))
