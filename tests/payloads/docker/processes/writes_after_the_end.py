# What is left behind writes, to a stream and to a file, after the program has ended.
# expect: completed
# within: 6
# timeout: 30
# hides: too late
import os
import time

if os.fork() == 0:
    os.setsid()
    while os.getppid() > 1:
        pass
    time.sleep(0.5)
    print("too late", flush=True)
    open("/workspace/late", "w").write("too late")
    os._exit(0)
