# expect: signal 9
# timeout: 10
import os
import signal

os.killpg(0, signal.SIGKILL)
