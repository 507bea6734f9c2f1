import os
import os.path
import os, sys, re
import a.b.c
import a.b.c as abc, d as e, f
import  spaced . out . name  as  s
import back.\
    slash.dotted
from m import x
from m import x as y, z
from m.n import (x)
from m.n import (
    x,
    y as yy,  # a comment
    z,
)
from m import *
from . import sibling
from .. import uncle as u
from .mod import thing
from ...up.mod import thing, other
from .... import far
from . mod2 import spaced
from __future__ import annotations
from back . \
    slash2 import a1, \
    a2
import one; import two; from three import four
if True: import inline
class C:
    import in_class
    from in_class2 import x
    def method(self):
        import in_method
        def inner():
            from in_inner import x
            lambda: __import__("in_lambda")
        return inner
for i in range(3): import in_for
while 0:
    import in_while
else:
    import in_while_else
with open("x") as f:
    import in_with
async def g():
    async with x:
        import in_async_with
    async for i in y:
        from in_async_for import z
match x:
    case 1:
        import in_case
    case {"import": b}:
        from in_case2 import c
import ünïcode.módulo
from 模块 import 名字
import _private, __dunder__
x = """
import in_string
from in_string import y
"""
# import in_comment
y = f"{__import__('in_fstring').x} import no"
def import_(): pass
importer = 1; from_ = 2
