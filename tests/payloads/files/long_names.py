# expect: completed
import os
for n in (255, 256, 4095, 4096, 70_000, 10_000_000):
    try:
        open("n" * n, "w").close()
        print(n, "made")
    except OSError as error:
        print(n, "refused", type(error).__name__)
for odd in ("a\nb", "é\u0301", "-rf", "..x", " ", "\x01", "a" * 3 + "\\"):
    open(odd, "w").close()
print(len(os.listdir()))
