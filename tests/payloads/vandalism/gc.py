# expect: completed
# shows: objects
import gc
gc.disable()
gc.set_threshold(1, 1, 1)
gc.enable()
gc.unfreeze()
found = gc.get_objects()
for thing in found:
    if isinstance(thing, list) and thing is not found and len(thing) > 3 and all(isinstance(v, int) for v in thing):
        thing.reverse()
print("objects")
