# expect: completed
# timeout: 10
import os
open("f", "w").write("x")
try:
    for i in range(200_000):
        os.link("f", f"l{i}")
    print("linked")
except OSError as error:
    print("refused", type(error).__name__)
