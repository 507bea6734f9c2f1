# Sixteen processes that compute for ever: others must go on getting their share.
# expect: timeout
# timeout: 3
import os

for _ in range(4):
    os.fork()
while True:
    pass
