# expect: signal 9 | exception
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
