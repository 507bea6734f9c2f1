# expect: completed | exception
class Evil:
    def __eq__(self, other):
        victims.clear()
        return False
    def __lt__(self, other):
        victims.clear()
        return True
    __hash__ = None
victims = [Evil() for _ in range(100)]
for action in (lambda: victims.index(1), lambda: victims.sort(), lambda: victims.remove(3), lambda: victims.count(4)):
    victims[:] = [Evil() for _ in range(100)]
    try:
        action()
    except ValueError as error:
        print(error)
