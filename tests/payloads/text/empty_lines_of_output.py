# expect: completed
print("\n" * 500_000)
