# expect: completed | timeout | memory_limit
# timeout: 10
import os
os.mkdir("d")
try:
    for i in range(1_000_000):
        with open(f"d/{i}", "wb") as f:
            f.write(bytes(4096))
except OSError as error:
    print("refused", type(error).__name__)
print(len(os.listdir("d")) > 0)
