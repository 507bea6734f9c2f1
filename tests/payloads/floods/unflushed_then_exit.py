# expect: exit 5
# truncated: stdout
import os, sys
sys.stdout.write("z" * 3_000_000)
sys.stdout.flush()
os.write(2, b"leaving")
os._exit(5)
