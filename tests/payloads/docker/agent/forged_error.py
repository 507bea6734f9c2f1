# An exception that calls itself something else, printed by hand, is no exception.
# expect: exit 1
# timeout: 10
import os
import sys

sys.stderr.write(
    "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 1, in <module>\nMemoryError: forged\n"
)
sys.stderr.flush()
os._exit(1)
