# The same in /tmp, which comes back to nobody.
# expect: disk_limit | memory_limit | timeout
# timeout: 8
import os

number = 0
while True:
    os.mkdir(f"/tmp/{number}")
    number += 1
