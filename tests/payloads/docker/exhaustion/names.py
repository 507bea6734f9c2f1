# Names that do not exist are remembered by the kernel too.
# expect: completed | timeout
# timeout: 15
import os

for number in range(300000):
    os.path.exists(f"/usr/{'x' * 200}{number}")
print("asked")
