# expect: exit 1
# Nothing is left to write a traceback to.
import sys
sys.stdout = sys.stderr = sys.stdin = sys.__stdout__ = sys.__stderr__ = None
raise SystemExit("unseen")
