# expect: completed | exception | trap
# Tries to change what 1 means, by way of the interpreter's own structures.
import sys, types
sys.setswitchinterval(1e-9)
sys.setrecursionlimit(5)
sys.set_int_max_str_digits(640)
sys.intern("print")
types.FunctionType.__call__
print("limits changed")
