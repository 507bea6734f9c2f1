# expect: completed | exception | signal 11 | trap
# Address 0 is ordinary memory in WebAssembly: reading it need not fail.
import faulthandler
faulthandler._read_null()
