# What stands in hotcell's environment and in the daemon's is not here. The runner puts the secret there.
# expect: completed
# shows: held
# hides: OPEN | xyzzy-secret
# timeout: 10
import os

for name, value in os.environ.items():
    if name not in (
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "TMPDIR",
        "USER",
        "LOGNAME",
        "SHELL",
        "TZ",
        "TERM",
        "HOSTNAME",
        "PYTHONPATH",
        "NODE_PATH",
    ) and not name.startswith(("PYTHON", "HOTCELL_CELL")):
        print("OPEN: the variable", name, value)
for entry in os.listdir("/proc"):
    if entry.isdigit():
        try:
            text = open(f"/proc/{entry}/environ", "rb").read()
        except OSError:
            continue
        print(text.replace(b"\0", b" ").decode(errors="replace"))
print("held")
