# What the interpreter does to __main__ when a program has come to its end, but this one has not.
import sys
for name in list(globals()):
    if name not in ("__name__", "__builtins__", "sys"):
        del globals()[name]
sys.exit(5)
