# One page in every two megabytes, of memory without reserve (0x4000): half of what is used is tables of the kernel.
# expect: memory_limit
# timeout: 20
import mmap

kept = []
while True:
    area = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    kept.append(area)
    for at in range(0, 8 << 30, 2 << 20):
        area[at] = 1
