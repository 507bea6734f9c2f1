# expect: completed | exception
# Only ever inside a cell: under a native Python, whatever started it, this ends before it removes anything.
import os, shutil, sys
if sys.platform != "wasi":
    raise SystemExit("refusing to run outside a cell")
shutil.rmtree("/workspace", ignore_errors=True)
shutil.rmtree("/tmp", ignore_errors=True)
print(os.path.exists("/"))
