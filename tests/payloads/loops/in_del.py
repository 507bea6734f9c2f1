# expect: timeout
class Trap:
    def __del__(self):
        while True:
            pass
Trap()
