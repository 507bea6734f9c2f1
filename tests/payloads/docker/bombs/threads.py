# Threads until one is refused.
# expect: process_limit
# timeout: 15
import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
