# expect: completed | exception
class Key:
    def __hash__(self):
        if len(table) > 5:
            table.clear()
        return 1
    def __eq__(self, other):
        table.pop(next(iter(table), None), None)
        return False
table = {}
for i in range(2000):
    table[Key()] = i
print("survived")
