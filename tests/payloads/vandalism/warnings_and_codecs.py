# expect: completed | exception
import codecs, warnings, encodings
codecs.register(lambda name: (None, None))
codecs.register_error("strict", lambda e: ("?", 10**9))
codecs.register_error("backslashreplace", lambda e: ("?", -1))
encodings._cache.clear()
warnings.filters[:] = []
warnings.simplefilter("error")
print("registered")
"é".encode("ascii")
