# expect: completed | timeout
# timeout: 10
import os
depth = 0
try:
    while depth < 100_000:
        os.mkdir("d")
        os.chdir("d")
        depth += 1
except OSError as error:
    print("refused", type(error).__name__)
print("ended", depth > 0)
