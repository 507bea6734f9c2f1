# A hundred megabytes, and then an end like any other, with the last line kept.
# expect: exit 7
# truncated: stdout
# shows: the last line
# timeout: 20
import sys

for _ in range(100):
    sys.stdout.write("y" * (1 << 20))
print("\nthe last line")
sys.exit(7)
