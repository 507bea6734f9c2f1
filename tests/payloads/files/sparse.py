# expect: completed
# shows: refused
# timeout: 10
import os
fd = os.open("sparse", os.O_CREAT | os.O_RDWR)
for attempt in (lambda: os.ftruncate(fd, 2**40), lambda: os.pwrite(fd, b"x", 2**50), lambda: os.lseek(fd, 2**62, 0) and os.write(fd, b"x")):
    try:
        attempt()
        print("worked")
    except (OSError, OverflowError) as error:
        print("refused", type(error).__name__)
