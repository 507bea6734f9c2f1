# expect: timeout
import atexit
def again():
    atexit.register(again)
    atexit._run_exitfuncs()
    again.__call__()
import sys
sys.setrecursionlimit(10**9)
def chain():
    while True:
        atexit.register(print, "")
        atexit.unregister(print)
atexit.register(chain)
