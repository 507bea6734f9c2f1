# expect: completed | exit 120
import os
os.close(1)
fd = os.open("captured.txt", os.O_CREAT | os.O_RDWR)
print("to a file?", fd, flush=True)
