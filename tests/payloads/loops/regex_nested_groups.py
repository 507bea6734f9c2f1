# expect: timeout
import re
re.search(r"(x|xx|xxx)*(y|x+)*[^x]z", "x" * 5000 + "z")
