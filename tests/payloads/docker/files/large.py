# Files that are too large to come back by themselves, and too large together.
# expect: completed
# within: 15
# timeout: 20
# shows: made
for number in range(9):
    with open(f"{number}", "wb") as file:
        file.write(bytes([number]) * (10 << 20))
print("made")
