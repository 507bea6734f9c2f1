# Processes that fork and end at once, for ever: there is never one that lives long enough to be found by its number.
# expect: completed
# timeout: 15
# within: 8
# shows: leaving
import os

if os.fork() == 0:
    os.setsid()
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
print("leaving")
