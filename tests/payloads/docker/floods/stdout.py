# Output without end.
# expect: timeout
# truncated: stdout
# timeout: 3
line = "x" * 1000
while True:
    print(line)
