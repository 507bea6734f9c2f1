# A full disk that the program handles: it goes on.
# expect: completed
# shows: full after 100 MiB
# files: note
# timeout: 15
import errno
import os

written = 0
try:
    with open("/workspace/fill", "wb", buffering=0) as file:
        while True:
            written += file.write(b"x" * (1 << 20))
except OSError as error:
    assert error.errno == errno.ENOSPC, error
os.remove("/workspace/fill")
open("/workspace/note", "w").write("still here")
print("full after", round(written / (1 << 20)), "MiB")
