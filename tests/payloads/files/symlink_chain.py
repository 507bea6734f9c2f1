# expect: completed
# timeout: 10
import os
try:
    open("l0", "w").close()
    for i in range(5000):
        os.symlink(f"l{i}", f"l{i + 1}")
    os.stat("l5000")
    print("resolved")
except OSError as error:
    print("refused", type(error).__name__)
