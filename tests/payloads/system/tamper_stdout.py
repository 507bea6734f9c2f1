# expect: exception | exit 120
import sys
sys.stdout = None
print("nothing")
sys.stdout = 5
print("breaks")
