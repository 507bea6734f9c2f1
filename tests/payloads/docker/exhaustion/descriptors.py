# As many descriptors as there are, in several processes.
# expect: completed
# shows: refused in 5 processes
# timeout: 15
import errno
import os

reader, writer = os.pipe()
for _ in range(5):
    if os.fork() == 0:
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            os.write(writer, b"x" if error.errno == errno.EMFILE else b"")
            os._exit(0)
for _ in range(5):
    os.wait()
print("refused in", len(os.read(reader, 100)), "processes")
