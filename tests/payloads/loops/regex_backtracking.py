# expect: timeout
# No bytecode runs while the C code of re goes through 2**60 ways to match.
import re
re.match(r"(a+)+$", "a" * 60 + "b")
