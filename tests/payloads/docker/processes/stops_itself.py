# A process that is stopped reacts to nothing but SIGKILL and SIGCONT.
# expect: timeout
# timeout: 2
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
