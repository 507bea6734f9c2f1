# A daemon as the books teach it: two forks, a session of its own, nothing open.
# expect: completed
# within: 6
# timeout: 30
# shows: started
import os
import time

print("started", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.closerange(0, 100)
        time.sleep(100)
    os._exit(0)
