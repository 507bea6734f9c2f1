# expect: completed
# timeout: 10
# truncated: stdout
# shows: tail
import sys
sys.stdout.write("y" * 50_000_000)
print("tail")
