# Names that mean something to somebody.
# expect: completed
# shows: made
# timeout: 10
import os

names = [
    b"..evil",
    b"...",
    b" ",
    b"-rf",
    b"a\nb",
    b"a\tb",
    b"\\..\\x",
    b"C:\\x",
    b"%2e%2e%2fx",
    b"*",
    b"'; rm -rf x; '",
    b"\xff\xfe",
    b"\xc0\xae",
    "é中🐍".encode(),
    b"x" * 255,
    b"con",
    b".hidden",
    b"$(id)",
    b"\x1b[2J",
    b"\x7f",
    "\u202egnp.exe".encode(),
    b"{\"a\":1}",
]
for name in names:
    with open(b"/workspace/" + name, "wb") as file:
        file.write(name)
print("made", len(names))
