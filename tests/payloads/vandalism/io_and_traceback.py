# expect: exception | exit 1
import io, traceback, linecache, os
for module in (io, traceback, linecache, os):
    vars(module).clear()
raise ValueError("who prints this?")
