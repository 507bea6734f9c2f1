# expect: completed | stack_limit
# timeout: 10
# Nested C iterators free each other without the trashcan: known to overflow a native stack.
it = iter([])
for _ in range(200_000):
    it = map(None, it)
del it
print("freed")
