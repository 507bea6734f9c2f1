# expect: completed
# timeout: 10
# shows: freed
x = ()
for i in range(300_000):
    x = (x,) if i % 2 else {"k": x}
del x
print("freed")
