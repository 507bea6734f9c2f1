import importlib
import importlib as il
import importlib.util
import builtins
import pytest
from importlib import import_module
from importlib import import_module as im, util
a = importlib.import_module("d1")
b = il.import_module('d2.sub')
c = import_module(".rel", package="pkg")
d = im("d" "3")
e = im(("d4"))
f = __import__("d5")
g = __import__('d6.a', fromlist=["x"])
h = importlib.import_module(name="d7")
i = importlib.import_module("d" + "8")
j = importlib.import_module(variable)
k = importlib.import_module(f"d{9}")
l = importlib.util.find_spec("o1")
m = util.find_spec("o2")
n = pytest.importorskip("o3")
o = builtins.__import__("d10")
p = importlib.__import__("d11")
q = other.import_module("no1")
r = obj.find_spec("no2")
def import_module_like(x): return x
s = import_module_like("no3")
t = importlib.import_module(
    "d12",
)
try:
    u = importlib.import_module("o4")
except ImportError:
    u = None
v = [importlib.import_module(x) for x in ("no4", "no5")]
w = importlib.import_module("d13").attribute.other()
x = late.import_module("d14")
import importlib as late
y = importlib.import_module("with space")
z = __import__("d15") if cond else __import__("d16")
aa = importlib.import_module(b"bytes")
bb = importlib.import_module("")
cc = importlib.import_module(r"d17")
dd = importlib . import_module ("d18")
