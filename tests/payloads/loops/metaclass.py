# expect: timeout
class Meta(type):
    def __getattribute__(cls, name):
        while True:
            pass
class A(metaclass=Meta):
    pass
A.x
