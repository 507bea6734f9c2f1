# Sorting 10,000 items: numbers, keys, strings, tuples.
import random

random.seed(7)
numbers = [random.random() for _ in range(10_000)]
words = [str(int(x * 1e9)) for x in numbers]
checksum = 0
for _ in range(30):
    checksum += int(sorted(numbers)[5000] * 1e6)
    checksum += int(sorted(words)[5000])
    checksum += int(sorted(numbers, key=lambda x: -x)[10] * 1e6)
    checksum += int(sorted(zip(words, numbers))[1][0])
    numbers.reverse()
print(checksum)
