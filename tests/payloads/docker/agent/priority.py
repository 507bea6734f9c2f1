# Starving the agent: its limits, its priority, its scheduling. No right guards these among processes of one uid.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import os
import resource

libc = ctypes.CDLL(None, use_errno=True)
zero = (ctypes.c_ulong * 2)(0, 0)
attributes = (ctypes.c_uint32 * 14)(56, 5)
for name, words in {
    "no CPU time": (302, 1, 0, zero, 0),
    "no descriptors": (302, 1, 7, zero, 0),
    "no memory": (302, 1, 9, zero, 0),
    "lowest priority": (141, 0, 1, 19),
    "lowest priority for the user": (141, 2, 0, 19),
    "lowest priority for the group": (141, 1, 1, 19),
    "idle class": (144, 1, 5, zero),
    "idle class, in the new way": (314, 1, attributes, 0),
    "parameters": (142, 1, zero),
    "no processor": (203, 1, 8, zero),
    "idle I/O": (251, 1, 1, 3 << 13),
    "idle I/O for the user": (251, 3, os.getuid(), 3 << 13),
}.items():
    # With high bits as well: the kernel cuts a pid to 32.
    for high in (0, 1 << 32):
        number, first, *rest = words
        if libc.syscall(number, ctypes.c_long(first | high), *rest) == 0:
            print("OPEN:", name, "with high bits" if high else "")
for name, text in (
    ("oom_score_adj", "1000"),
    ("autogroup", "19"),
    ("timerslack_ns", "1"),
    ("sched", "0"),
    ("coredump_filter", "0"),
):
    try:
        with open("/proc/1/" + name, "w") as file:
            file.write(text)
        print("OPEN: /proc/1/" + name)
    except OSError:
        pass
# As low as the agent a process may get, but not lower: the kernel remembers what root once set for all of them.
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(int(open("/proc/1/oom_score_adj").read()) - 1))
    print("OPEN: the agent is killed first when memory runs out")
except OSError:
    pass
print("held")
