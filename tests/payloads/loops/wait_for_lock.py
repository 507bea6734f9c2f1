# expect: timeout | exception
# Nobody can ever release it: a deadlock, a sleep for ever or an error, but an end.
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire()
