# expect: timeout
class Trap:
    def __del__(self, forever=iter(int, 1)):
        for _ in forever:
            pass
keep = Trap()
print("the main part is over")
