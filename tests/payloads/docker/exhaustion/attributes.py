# Extended attributes of files live in the kernel's memory.
# expect: completed | memory_limit
# timeout: 15
import os

try:
    for number in range(20000):
        path = f"/tmp/{number}"
        open(path, "w").close()
        os.setxattr(path, "user.x", b"x" * 60000)
except OSError as error:
    print("refused", error.strerror)
