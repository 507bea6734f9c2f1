# The smallest writes there are: a price for each of them must be paid inside.
# expect: timeout
# timeout: 3
import os

while True:
    os.write(1, b"x")
    os.write(2, b"x")
