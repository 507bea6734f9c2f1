# The program and everything beside it is gone when somebody looks.
# expect: completed
# shows: gone
# timeout: 10
import os
import shutil

for name in os.listdir("/workspace"):
    path = os.path.join("/workspace", name)
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
try:
    os.rmdir("/workspace")
    print("OPEN: the workspace itself")
except OSError:
    print("gone")
