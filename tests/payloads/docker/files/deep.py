# Folders within folders, further down than a path may be long.
# expect: completed
# within: 8
# timeout: 20
# shows: deep
import os

for _ in range(3000):
    os.mkdir("d" * 20)
    os.chdir("d" * 20)
open("at the bottom", "w").write("x")
print("deep")
