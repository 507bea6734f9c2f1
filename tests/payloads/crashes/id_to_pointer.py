# expect: completed | exception
# shows: contained
# The classic in-process memory forgery; it has nothing to reach but its own cell.
import struct
try:
    import _ctypes
    print(_ctypes.PyObj_FromPtr(8))
except ImportError:
    print("contained")
