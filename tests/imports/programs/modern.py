from typing import ParamSpec
if (n := 10) > 5:
    import walrus
def pos(a, /, b, *, c):
    import positional
with (open("a") as a, open("b") as b):
    import parenthesized_with
x = [y async for y in z]
print(*args, **kwargs, sep=__import__("in_call").sep)
def deco(f=__import__("in_default")): pass
@__import__("in_decorator").wrap
def g(): pass
class D(__import__("in_base").Base, metaclass=__import__("in_meta").M): pass
assert __import__("in_assert"), __import__("in_message")
del x, y
global_ = {k: __import__("in_dict") for k in __import__("in_iter")}
lst[__import__("in_index").i:] = 1
def gen():
    yield __import__("in_yield")
    return (yield from __import__("in_yield_from"))
f"{__import__('in_f1')!r:>{__import__('in_f2').w}} " if 0 else 0
