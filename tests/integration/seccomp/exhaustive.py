"""Runs inside a container: compares the filter as it is installed with the profile, for every rule that looks at arguments.

What a profile says and what the kernel gets are two things: libseccomp compiles one into the other, and its version 2.5.4
has been seen to let through a call that no rule allows, when two rules for one call looked at different arguments. So all
of the arguments' values that could matter are tried. The others are chosen so that a call that is let through fails: with
another error than EPERM. Prints each difference and, at the end, how many calls were compared.

The profile stands before this text, as PROFILE.
"""

import ctypes
import errno
import os

NUMBERS = {
    "socket": 41,
    "socketpair": 53,
    "ioctl": 16,
    "prctl": 157,
    "personality": 135,
    "clone": 56,
    "mknod": 133,
    "mknodat": 259,
    "prlimit64": 302,
    "setpriority": 141,
    "ioprio_set": 251,
}
BAD, NOBODY = 1, 0x7FFFFFFF
NEEDS_A_CAPABILITY = {("prctl", 24)}  # EPERM comes from the kernel itself

libc = ctypes.CDLL(None, use_errno=True)
differences = compared = 0
rules = {}
for entry in PROFILE["syscalls"]:  # noqa: F821
    for name in entry["names"]:
        rules.setdefault(name, []).append(entry)


def allowed(name, words):
    for entry in rules[name]:
        fits = True
        for condition in entry.get("args", []):
            word = words[condition["index"]] & (1 << 64) - 1
            if condition["op"] == "SCMP_CMP_EQ":
                fits &= word == condition["value"]
            elif condition["op"] == "SCMP_CMP_MASKED_EQ":
                fits &= word & condition["value"] == condition["valueTwo"]
            else:
                raise ValueError(condition["op"])
        if fits:
            return entry["action"] == "SCMP_ACT_ALLOW"
    return False


def compare(name, *words):
    global differences, compared
    compared += 1
    got = libc.syscall(NUMBERS[name], *[ctypes.c_long(ctypes.c_int64(word).value) for word in words])
    refused = got == -1 and ctypes.get_errno() == errno.EPERM
    if name == "socket" and got >= 0:
        os.close(got)
    if refused == allowed(name, words) and (name, words[0]) not in NEEDS_A_CAPABILITY:
        differences += 1
        if differences < 20:
            print("different:", name, [hex(word) for word in words], "refused" if refused else "let through")


def with_high_bits(values):
    for value in values:
        yield from (value, value | 1 << 32, value | 0xFFFFFFFF << 32)


for family in with_high_bits(range(48)):
    for kind in (*range(12), 1 | 0o4000, 2 | 0o2000000, 3 | 0o2004000, 1 | 1 << 32):
        for protocol in (*range(20), 58, 115, 132, 136, 255, 256, 262, 6 | 1 << 32):
            compare("socket", family, kind, protocol)
            compare("socketpair", family, kind, protocol, BAD)
for number in range(1 << 16):
    compare("ioctl", -1, number, 0)
for number in with_high_bits(range(0x5400, 0x5500)):
    compare("ioctl", -1, 0x80040000 | number, 0)
for option in with_high_bits([*range(100), *(1 << bit for bit in range(7, 32)), 0x41555856, 0x53564D41, 0x59616D61]):
    compare("prctl", option, 0xFF, 0xFF, 0xFF, 0xFF)
for persona in with_high_bits([*range(64), *(1 << bit for bit in range(6, 32)), 0xFFFFFFFF, 0x20008]):
    compare("personality", persona)
libc.personality(0)
for bit in range(64):
    if bit != 8:  # with shared memory it would become a thread; CLONE_SIGHAND without is an error
        compare("clone", 1 << bit | 0x800, 0, 0, 0, 0)
        compare("clone", 1 << bit | 0x20000 | 0x800, 0, 0, 0, 0)
for kind in with_high_bits(range(0, 1 << 17, 1 << 12)):
    compare("mknod", BAD, kind | 0o600, 0)
    compare("mknodat", -100, BAD, kind | 0o600, 0)
for word in with_high_bits([*range(300), NOBODY]):
    compare("prlimit64", word, 0xFF, 0, 0)
    compare("setpriority", word, NOBODY, 0)
    compare("ioprio_set", word, NOBODY, 0)
conditional = {name for name, entries in rules.items() if any("args" in entry for entry in entries)}
if conditional - set(NUMBERS):
    print("different: nothing is known here of", conditional - set(NUMBERS))
print("compared", compared, "different", differences)
