# As many mappings as a process may have.
# expect: completed
# shows: refused
# timeout: 15
import ctypes
import mmap

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
number = 0
# Neighbours with different rights are not merged.
while libc.mmap(None, 4096, number % 2, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0) != ctypes.c_void_p(-1).value:
    number += 1
    if number > 1_000_000:
        print("OPEN: a million mappings")
        break
print("refused")
