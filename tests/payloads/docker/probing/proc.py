# What /proc tells about the machine, and what can be changed through it.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 20
import os

for path in (
    "kcore",
    "keys",
    "timer_list",
    "sched_debug",
    "kmsg",
    "sysrq-trigger",
    "vmallocinfo",
    "slabinfo",
    "kpagecount",
    "kpageflags",
    "1/mem",
    "1/environ",
    "1/maps",
    "1/stack",
    "1/syscall",
    "1/auxv",
    "1/cwd/x",
    "1/root/etc/passwd",
    "1/fd/0",
):
    try:
        with open("/proc/" + path, "rb") as file:
            if file.read(100).strip(b"\0 \n"):
                print("OPEN: /proc/" + path, "tells something")
    except OSError:
        pass
try:
    with open("/proc/kallsyms") as symbols:
        if any(not line.startswith("0000000000000000") for line in symbols):
            print("OPEN: addresses of the kernel")
except OSError:
    pass
for folder, _, files in os.walk("/proc/sys"):
    for name in files:
        path = os.path.join(folder, name)
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("OPEN: may write to", path)
        except OSError:
            pass
for path, text in (
    ("sysrq-trigger", "h"),
    ("1/oom_score_adj", "1000"),
    ("1/comm", "x"),
    ("1/task/1/comm", "x"),
    ("1/timerslack_ns", "1"),
    ("1/coredump_filter", "1"),
    ("1/clear_refs", "1"),
    ("1/attr/current", "x"),
    ("1/attr/exec", "x"),
    ("1/sched", "0"),
    ("1/setgroups", "deny"),
    ("1/gid_map", "0 0 1"),
    ("pressure/cpu", "some 500000 2000000\n"),
    ("pressure/memory", "some 500000 2000000\n"),
    ("pressure/io", "some 500000 2000000\n"),
    ("1/autogroup", "19"),
    ("self/oom_score_adj", "-1000"),
    ("self/uid_map", "0 0 1"),
):
    try:
        with open("/proc/" + path, "w") as file:
            file.write(text)
        print("OPEN: wrote to /proc/" + path)
    except OSError:
        pass
print("held")
