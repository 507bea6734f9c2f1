# expect: completed
# timeout: 10
# shows: gone
class Link:
    def __init__(self, next): self.next = next
    def __del__(self): pass
head = None
for _ in range(100_000):
    head = Link(head)
head = None
print("gone")
