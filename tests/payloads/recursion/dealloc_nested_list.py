# expect: completed
# timeout: 10
# shows: freed
x = []
for _ in range(1_000_000):
    x = [x]
del x
print("freed")
