# expect: completed
import sys
print("\ud800", file=sys.stderr)
