# expect: completed
# shows: True
# The matcher keeps its own stack on the heap.
import re
print(bool(re.match(r"(?:a|b)*?c", "ab" * 100_000 + "c")))
