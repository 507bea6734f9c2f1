# expect: completed
# shows: refused
import os
os.makedirs("a/b/c")
for source, target in (("a", "a/b/c/d"), (".", "x"), ("a", "."), ("a/..", "y"), ("/workspace", "/tmp/w")):
    try:
        os.rename(source, target)
        print("renamed", source)
    except OSError as error:
        print("refused", type(error).__name__)
