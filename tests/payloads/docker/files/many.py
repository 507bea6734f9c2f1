# More files than anybody wants back.
# expect: completed
# within: 15
# timeout: 20
# shows: made
import os

for number in range(100):
    os.mkdir(f"{number}")
    for other in range(300):
        open(f"{number}/{other}", "w").write("x")
print("made")
