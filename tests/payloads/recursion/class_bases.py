# expect: completed | exception | timeout
# timeout: 10
c = object
for i in range(3000):
    c = type("C", (c,), {})
print(len(c.__mro__))
