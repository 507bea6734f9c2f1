# Files in /workspace and /tmp are memory too, and do not go away when the program is killed.
# expect: memory_limit | disk_limit
# timeout: 20
# options: --memory 96
for folder in ("/workspace", "/tmp"):
    with open(folder + "/fill", "wb") as file:
        for _ in range(95):
            file.write(b"x" * (1 << 20))
