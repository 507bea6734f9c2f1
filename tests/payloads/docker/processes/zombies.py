# Children that ended and that nobody asked about.
# expect: completed
# shows: fifty
# timeout: 10
import os

for _ in range(50):
    if os.fork() == 0:
        os._exit(0)
print("fifty")
