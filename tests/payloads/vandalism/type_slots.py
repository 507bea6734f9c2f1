# expect: completed
class A: pass
for thing in (int, str, type, object, dict):
    try:
        thing.__add__ = None
    except TypeError as error:
        print(error)
try:
    A().__class__ = int
except TypeError as error:
    print(error)
