import atexit, sys, threading, types, weakref


class Late:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("gone:", self.name)


late, ring, local = Late("global"), Late("ring"), threading.local()
ring.itself = ring
module = sys.modules["mine"] = types.ModuleType("mine")
module.late, module.keeper = Late("of a module"), lambda: module
sys.kept = Late("kept by sys")
weakref.finalize(late, print, "finalized")
atexit.register(lambda: print("at exit", late.name))
threading.Thread(target=lambda: print("from a thread", late.name)).start()
hidden = [Late("in a list"), open("/workspace/unclosed", "w")]
hidden[1].write("not closed")
print("the end")
