# A signal without a name.
# expect: signal 35
# timeout: 10
import os

os.kill(os.getpid(), 35)
