# The 32-bit calls have numbers of their own, which the filter does not know: they are not for programs at all.
# expect: completed
# shows: held
# hides: OPEN
# timeout: 10
import ctypes
import mmap
import os

CODE = {"int 0x80": b"\xb8\x14\x00\x00\x00\xcd\x80\xc3", "x32": b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"}
for name, code in CODE.items():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os.write(writer, b"through" if got == os.getpid() else b"refused")
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    if os.read(reader, 10) == b"through":
        print("OPEN:", name)
print("held")
