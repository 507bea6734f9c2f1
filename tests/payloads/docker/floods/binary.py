# Bytes that are no text.
# expect: timeout
# truncated: stdout
# lossy: stdout
# timeout: 3
import os

block = os.urandom(1 << 20)
while True:
    os.write(1, block)
