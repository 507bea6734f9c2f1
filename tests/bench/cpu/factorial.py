# Big integers: factorial(1000), multiplied out and printed.
import functools
import math
import operator

checksum = 0
for i in range(1200):
    product = functools.reduce(operator.mul, range(1, 1001))
    checksum += product % 1_000_003 + (product == math.factorial(1000))
    checksum += len(str(product)) if i % 6 == 0 else 0
print(checksum)
