# The child keeps both streams after the program has ended: nobody may wait for it.
# expect: completed
# within: 6
# timeout: 30
# shows: parent ends
import os
import time

print("parent ends", flush=True)
if os.fork() == 0:
    time.sleep(100)
