# expect: completed | exception
import sys
def hook(event, args):
    raise SystemError(event)
sys.addaudithook(hook)
print("every audited call fails now")
open("x")
