# expect: completed
# timeout: 10
# truncated: stdout
import os
chunk = bytes(range(256)) * 4096
for _ in range(20):
    os.write(1, chunk)
