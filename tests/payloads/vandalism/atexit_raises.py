# expect: completed
import atexit
for _ in range(100):
    atexit.register(lambda: 1 / 0)
