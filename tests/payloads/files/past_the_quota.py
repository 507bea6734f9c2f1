# expect: completed
# timeout: 20
# shows: refused
# Writing on and on meets an errno, not the host's disk.
written = 0
try:
    with open("big", "wb", buffering=0) as f:
        while written < 2**33:
            written += f.write(bytes(1_000_000))
    print("no quota")
except (OSError, MemoryError) as error:
    print("refused", type(error).__name__, written < 2**31)
