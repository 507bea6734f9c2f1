# expect: timeout
import sys
while True:
    sys.stdout.write("\U0001f40d")
    sys.stdout.flush()
