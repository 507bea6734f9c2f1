# expect: completed
# shows: contained
import os
reached = []
open("probe", "w").write("x")
for path in ("/etc/passwd", "/proc/self/maps", "../../../../etc/passwd", "/../etc/passwd", "/workspace/../etc/shadow", "/tmp/../root/.bashrc",
             "/dev/mem", "//etc//passwd", "/workspace/probe/../../etc/passwd", "/proc/1/environ", "/sys/kernel"):
    try:
        open(path, "rb").read(10)
        reached.append(path)
    except (OSError, ValueError):
        pass
for target in ("/", "/etc", "../..", "/proc/self/root"):
    try:
        os.symlink(target, "out")
        os.listdir("out/etc")
        reached.append(target)
    except OSError:
        pass
    try:
        os.remove("out")
    except OSError:
        pass
print("reached" if reached else "contained", reached)
