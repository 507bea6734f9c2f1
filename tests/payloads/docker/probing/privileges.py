# Nobody, without any right, and no way to more.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 20
import os
import shutil
import stat
import subprocess

status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[name], 16):
        print("OPEN:", name, status[name])
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
    print("OPEN: no_new_privs", status["NoNewPrivs"], "seccomp", status["Seccomp"])
if 0 in (*map(int, status["Uid"].split()), *map(int, status["Gid"].split()), *map(int, status["Groups"].split())):
    print("OPEN: root's ids", status["Uid"], status["Gid"], status["Groups"])
for act in (
    lambda: os.setuid(0),
    lambda: os.setgid(0),
    lambda: os.setgroups([0]),
    lambda: os.setresuid(0, 0, 0),
    lambda: os.chroot("/tmp"),
    lambda: os.chown("/tmp", 0, 0),
    lambda: os.chown("/workspace", -1, 0),
    lambda: os.nice(-5),
):
    try:
        act()
        print("OPEN: got more rights")
    except OSError:
        pass
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    for name in files:
        path = os.path.join(folder, name)
        try:
            if os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID) and not os.path.islink(path):
                print("OPEN: changes privileges:", path)
        except OSError:
            pass
for folder in ("/tmp", "/workspace"):
    shutil.copy("/usr/bin/id", folder + "/id")
    os.chmod(folder + "/id", 0o6755)
    if subprocess.run([folder + "/id", "-u"], capture_output=True, text=True).stdout.strip() == "0":
        print("OPEN: root by a file of one's own")
print("held")
