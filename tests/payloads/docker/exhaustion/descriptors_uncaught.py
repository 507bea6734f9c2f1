# Running out of descriptors is an ordinary exception.
# expect: exception OSError
# timeout: 15
import os

while True:
    os.open("/dev/null", os.O_RDONLY)
