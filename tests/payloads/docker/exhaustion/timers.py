# As many timers as a user may have.
# expect: completed | memory_limit
# shows: refused
# timeout: 15
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
timer = ctypes.c_void_p()
while libc.timer_create(1, None, ctypes.byref(timer)) == 0:
    pass
print("refused", ctypes.get_errno())
