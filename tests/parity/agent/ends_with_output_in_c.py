import ctypes
ctypes.CDLL(None).printf(b"kept by the C library until the end\n")
print("written by Python")
