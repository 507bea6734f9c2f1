# expect: completed | exception
import _thread, threading
try:
    _thread.interrupt_main()
except KeyboardInterrupt:
    print("interrupted")
threading._shutdown = None
