# expect: completed | exit 120
import os
for fd in range(3):
    os.close(fd)
