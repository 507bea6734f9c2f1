# expect: completed
# shows: refused RuntimeError
import threading
try:
    threading.Thread(target=print).start()
    print("started")
except RuntimeError as error:
    print("refused", type(error).__name__)
