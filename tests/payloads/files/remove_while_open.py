# expect: completed
# shows: still here
import os
f = open("f", "w+")
f.write("still here")
f.flush()
os.remove("f")
f.seek(0)
print(f.read(), os.path.exists("f"))
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
try:
    open("x", "w")
except OSError as error:
    print(type(error).__name__)
