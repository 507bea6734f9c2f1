# expect: completed
import os
os.environ.clear()
os.environ.update({"LD_PRELOAD": "/x", "PYTHONHASHSEED": "random", "HOTCELL": "x" * 100_000})
os.chdir("/tmp")
os.umask(0) if hasattr(os, "umask") else None
print("changed")
