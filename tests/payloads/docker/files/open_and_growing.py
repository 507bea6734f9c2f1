# A file that grows for as long as somebody writes to it.
# expect: completed
# within: 8
# timeout: 20
import os

with open("log", "w") as file:
    file.write("first\n")
if os.fork() == 0:
    with open("log", "a") as file:
        while True:
            file.write("more\n" * 100)
            file.flush()
            if file.tell() > 50_000_000:
                file.truncate(0)
