# expect: exception RecursionError
import re
re.compile("(" * 10_000 + ")" * 10_000)
