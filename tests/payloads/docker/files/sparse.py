# Eight terabytes that take no room. Reading them through would take hours.
# expect: completed
# within: 8
# shows: made
# timeout: 20
import os

for number in range(20):
    with open(f"sparse{number}", "wb") as file:
        file.truncate(8 << 40)
        file.seek((8 << 40) - 1)
        file.write(b"x")
open("plain.txt", "w").write("plain")
print("made", os.stat("sparse0").st_size)
