# expect: completed
# shows: refused
import os
try:
    os.fork()
    print("forked")
except (AttributeError, OSError) as error:
    print("refused", type(error).__name__)
