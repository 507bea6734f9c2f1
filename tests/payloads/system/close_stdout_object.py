# expect: exception
import sys
sys.stdout.close()
print("x")
