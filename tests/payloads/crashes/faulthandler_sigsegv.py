# expect: signal 11 | exception | trap
import faulthandler
faulthandler._sigsegv()
