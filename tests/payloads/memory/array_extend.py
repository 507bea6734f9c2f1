# expect: memory_limit
# timeout: 10
import array
a = array.array("d", [0.0])
while True:
    a.extend(a)
