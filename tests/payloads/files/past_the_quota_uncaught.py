# expect: exception OSError | disk_limit | memory_limit
# timeout: 20
with open("big", "wb", buffering=0) as f:
    while True:
        f.write(bytes(1_000_000))
