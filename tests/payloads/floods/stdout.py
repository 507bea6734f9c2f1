# expect: timeout
# truncated: stdout
while True:
    print("x" * 1000)
