# expect: completed | exception | exit 1 | exit 120 | signal 6 | trap
import gc
for thing in gc.get_objects():
    if type(thing) is dict and thing is not globals():
        try:
            thing.clear()
        except Exception:
            pass
