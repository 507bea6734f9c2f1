# expect: signal 6 | exception
import faulthandler
faulthandler._fatal_error_c_thread() if hasattr(faulthandler, "_fatal_error_c_thread") else faulthandler._fatal_error(b"asked for")
