# expect: memory_limit | exception
# timeout: 10
print(f"{1:>1000000000}")
