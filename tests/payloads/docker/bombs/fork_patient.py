# A fork bomb that does not mind being refused, in every process.
# expect: timeout | process_limit | memory_limit
# timeout: 4
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
