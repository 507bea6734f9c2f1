# Runs the agent's program as a program, and feeds it with what might be its frames.
# expect: completed
# shows: held
# timeout: 15
import subprocess

for text in (b"", b"\0" * 64, b"\x01\0\0\0\x01" * 100, bytes(range(256)) * 40):
    try:
        done = subprocess.run(["/.hotcell/agent"], input=text, capture_output=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        pass
try:
    open("/.hotcell/agent", "wb")
    print("OPEN: the agent's file can be written to")
except OSError:
    pass
print("held")
