# A full disk that nobody handles.
# expect: disk_limit
# timeout: 15
with open("/workspace/fill", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
