# expect: timeout
class Liar:
    def __lt__(self, other):
        for _ in iter(int, 1):
            pass
sorted([Liar(), Liar()])
