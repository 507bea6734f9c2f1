# expect: exception
import sys
del sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
1 / 0
