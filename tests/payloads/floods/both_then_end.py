# expect: completed
# timeout: 20
# truncated: stdout stderr
# shows: the very end
import sys
for i in range(40_000):
    print("out", i, "." * 100)
    print("err", i, "." * 100, file=sys.stderr)
print("the very end")
