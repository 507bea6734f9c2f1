# The agent is pid 1 and of the same uid: reading and changing it must be refused all the same.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import os

for name in ("mem", "environ", "maps", "smaps", "auxv", "stack", "syscall", "personality", "pagemap", "io", "wchan"):
    for mode in ("rb", "r+b"):
        try:
            with open("/proc/1/" + name, mode, buffering=0) as file:
                if file.read(64).strip(b"0\0\n"):
                    print("OPEN: /proc/1/" + name, mode)
        except OSError:
            pass
for name in ("exe", "cwd", "root"):
    try:
        print("OPEN: /proc/1/" + name, os.readlink("/proc/1/" + name))
    except OSError:
        pass
print("held")
