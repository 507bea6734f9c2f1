# Whoever dies of memory is replaced. The daemon notes each of these deaths, which costs it more than they cost the
# program: if that could go on, it would be busy, for everybody, long after the program's end.
# expect: memory_limit
# timeout: 20
# within: 5
import os

living = 0
while True:
    while living < 40:
        if os.fork() == 0:
            kept = []
            while True:
                kept.append(b"x" * (1 << 20))
        living += 1
    os.wait()
    living -= 1
