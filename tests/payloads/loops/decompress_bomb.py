# expect: memory_limit | timeout
import bz2
bomb = bz2.compress(bytes(50_000_000))
data = bz2.decompress(bomb)
while True:
    data += bz2.decompress(bomb)
