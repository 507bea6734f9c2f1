# expect: completed
import sys
for name in list(sys.modules):
    sys.modules[name] = None
