# expect: completed
import sys
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
sys.addaudithook(lambda *a: None)
sys.excepthook = sys.unraisablehook = sys.displayhook = None
print("hooked")
