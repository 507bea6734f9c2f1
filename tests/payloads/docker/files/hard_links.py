# Names for one file; and none for a file of the image.
# expect: completed
# shows: held
# hides: OPEN
# files: a b
# timeout: 10
import os

open("a", "w").write("one file")
os.link("a", "b")
for target in ("/etc/passwd", "/.hotcell/agent", "/proc/1/environ", "/dev/null"):
    try:
        os.link(target, "stolen")
        print("OPEN: a hard link to", target)
    except OSError:
        pass
print("held")
