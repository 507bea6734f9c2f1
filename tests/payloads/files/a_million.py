# expect: completed | timeout
# timeout: 10
made = 0
try:
    for made in range(1_000_000):
        open(f"f{made}", "w").close()
except OSError as error:
    print("refused", type(error).__name__, made)
