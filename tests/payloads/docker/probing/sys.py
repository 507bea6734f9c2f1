# /sys is to be read, at most.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 20
import os

for folder, folders, files in os.walk("/sys"):
    for name in files:
        path = os.path.join(folder, name)
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("OPEN: may write to", path)
        except OSError:
            pass
for folder in ("/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security"):
    if os.path.isdir(folder) and os.listdir(folder):
        print("OPEN:", folder, os.listdir(folder)[:5])
# The classic way out: a program that the host runs when a control group gets empty.
for folder, _, _ in os.walk("/sys/fs/cgroup"):
    try:
        os.mkdir(folder + "/mine")
        print("OPEN: a control group made in", folder)
    except OSError:
        pass
print("held")
