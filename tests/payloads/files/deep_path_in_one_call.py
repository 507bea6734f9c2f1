# expect: completed
# shows: refused
import os
try:
    os.makedirs("/".join(["d"] * 100_000))
    print("worked")
except (OSError, RecursionError) as error:
    print("refused", type(error).__name__)
