# expect: completed | exception
import os
os.dup2(2, 1)
print("stdout is stderr now")
