# expect: completed
# shows: refused
# timeout: 10
hoard = []
try:
    open("f", "w").close()
    while len(hoard) < 10**6:
        hoard.append(open("f", "rb", buffering=0))
    print("no limit")
except OSError as error:
    print("refused", type(error).__name__)
