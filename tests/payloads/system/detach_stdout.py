# expect: completed | exception | exit 120
import sys
sys.stdout.detach()
print("x")
