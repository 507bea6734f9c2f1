# The program that must always give the same bytes, whatever ran before it or runs beside it.
import builtins, collections, gc, io, json, math, os, re, sqlite3, sys, zlib

print(2 + 2, sorted({3, 1, 2}), "".join(map(chr, [104, 105])), f"{math.pi:.5f}", json.dumps({"a": [1, None]}))
print(len([n for n in dir(builtins) if not n.startswith("_")]) > 140, print.__module__, int.__name__, 1 + 1 == 2)
print(os.getcwd(), len(os.listdir("/workspace")), os.listdir("/tmp"), len(sys.argv), repr(sys.stdin.read()))
print(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), sys.get_int_max_str_digits(), sys.gettrace(), sys.getprofile())
print(sys.excepthook is sys.__excepthook__, sys.stdout is sys.__stdout__, [m for m in ("__main__", "os", "io") if m not in sys.modules])
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), zlib.crc32(b"canary"), collections.Counter("canary").most_common(1))
print(sqlite3.connect(":memory:").execute("select sum(1) from (values(1), (2))").fetchone(), io.StringIO("x").read())
print("é中🐍", file=sys.stderr)
try:
    1 / 0
except ZeroDivisionError as error:
    print("caught", error)


def deep(n):
    return n if n == 0 else 1 + deep(n - 1)


print(deep(900), "HOTCELL" in os.environ, len(str(7**3000)))
sys.exit(42)
