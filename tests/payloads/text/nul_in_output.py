# expect: completed
print("a\x00b\x00")
