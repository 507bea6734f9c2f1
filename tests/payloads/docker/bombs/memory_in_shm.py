# /dev/shm is a small file system of its own.
# expect: disk_limit | memory_limit | exception OSError
# timeout: 20
with open("/dev/shm/fill", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
        file.flush()
