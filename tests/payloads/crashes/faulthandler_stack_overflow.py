# expect: stack_limit | exception | trap | timeout
import faulthandler
faulthandler._stack_overflow()
