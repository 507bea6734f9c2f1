# expect: completed | exception
# timeout: 10
with open("f", "w+b") as f:
    f.truncate(50_000_000)
    f.seek(49_999_999)
    print(f.read())
