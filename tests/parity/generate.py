#!/usr/bin/env python3
"""Writes the parity programs: generate.py DIRECTORY [--only GLOB]

Problem: "hotcell's Python is CPython" is a claim over the whole standard library, and a set of programs that was picked
by hand, or by what passes, proves little.
Idea: the programs are plain text under areas/, one file per area, with holes for values; this generator fills the holes
from a random source that is seeded by (SEED, area, index, variant) alone. No clock, no environment, no set order: the
same clone writes the same bytes everywhere, and adding a program leaves all others of its area before it untouched.

An area file is a row of programs. Each starts with a line `===` and may carry options:
    === variants=3 args="-n 3 'two words'"
and may end with a part `--- stdin` whose lines are fed to the program. Holes:
    $(int LO HI)  $(float LO HI)  $(big DIGITS)  $(word)  $(str N)  $(bytes N)  $(date)  $(pick A|B|C)
    $(ints N LO HI)  $(floats N LO HI)  $(words N)   list literals
    $(name=KIND ...)  fills and remembers;  $(name)  repeats
"""
import argparse
import fnmatch
import pathlib
import random
import re
import shlex
import sys

SEED = 20240311
AREAS = pathlib.Path(__file__).resolve().parent / "areas"
WORDS = ("amber brook cedar delta ember fjord grove heron inlet juniper kelp larch maple nectar otter pine quartz "
         "reed sage thistle umber violet willow xenon yarrow zephyr").split()
# Letters of several widths (1, 2, 3 and 4 bytes in UTF-8), marks, and what quoting has to care about.
ALPHABET = "abcXYZ019 _-'\"\\\t\nßéñžΩλЖя中文かな한글€–…🐍🎉\u0301\u200d"
KINDS = "int|float|big|word|words|str|bytes|date|pick|ints|floats"
# The arguments of a hole may hold parentheses, three deep: $(pick f(x)|g(h(1))).
NESTED = r"(?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*"
HOLE = re.compile(r"\$\((?:([a-z]\w*)=)?(" + KINDS + r")((?: " + NESTED + r")?)\)|\$\(([a-z]\w*)\)")


def number(text):
    return int(text, 0)


class Filler:
    """Fills the holes of one program; owns its random source and the values that were given a name."""

    def __init__(self, key):
        self.random = random.Random(key)
        self.named = {}

    def fill(self, text):
        return HOLE.sub(self.replace, text)

    def replace(self, match):
        name, kind, arguments, known = match.groups()
        if known:
            return self.named[known]
        value = getattr(self, "make_" + kind)(arguments.strip())
        if name:
            self.named[name] = value
        return value

    def make_int(self, arguments):
        low, high = map(number, arguments.split())
        return str(self.random.randint(low, high))

    def make_float(self, arguments):
        low, high = map(float, arguments.split())
        return repr(round(self.random.uniform(low, high), 3))

    def make_big(self, arguments):
        digits = number(arguments)
        return str(self.random.randint(10 ** (digits - 1), 10 ** digits - 1))

    def make_word(self, _):
        return self.random.choice(WORDS)

    def make_str(self, arguments):
        return ascii("".join(self.random.choice(ALPHABET) for _ in range(number(arguments))))

    def make_bytes(self, arguments):
        return repr(bytes(self.random.randrange(256) for _ in range(number(arguments))))

    def make_date(self, _):
        return f"{self.random.randint(1971, 2037)}, {self.random.randint(1, 12)}, {self.random.randint(1, 28)}"

    def make_pick(self, arguments):
        return self.random.choice(arguments.split("|"))

    def make_ints(self, arguments):
        count, low, high = map(number, arguments.split())
        return repr([self.random.randint(low, high) for _ in range(count)])

    def make_floats(self, arguments):
        count, low, high = arguments.split()
        return repr([round(self.random.uniform(float(low), float(high)), 3) for _ in range(int(count))])

    def make_words(self, arguments):
        return repr([self.random.choice(WORDS) for _ in range(number(arguments))])


def parse_area(path):
    """Yields (options, program, stdin or None) for each program of an area file."""
    text = path.read_text(encoding="utf-8")
    parts = re.split(r"^===(.*)\n", text, flags=re.MULTILINE)
    if parts[0].strip():
        sys.exit(f"{path}: text before the first ===")
    for head, body in zip(parts[1::2], parts[2::2]):
        options = dict(item.split("=", 1) for item in shlex.split(head))
        unknown = set(options) - {"variants", "args"}
        if unknown:
            sys.exit(f"{path}: unknown options {sorted(unknown)}")
        program, separator, stdin = body.partition("--- stdin\n")
        yield options, program, stdin if separator else None


def programs():
    """Yields (name, source, stdin or None, args) for the whole set, in a fixed order."""
    for path in sorted(AREAS.glob("*.txt")):
        serial = 0
        for index, (options, program, stdin) in enumerate(parse_area(path)):
            for variant in range(int(options.get("variants", "1"))):
                filler = Filler(f"{SEED}/{path.stem}/{index}/{variant}")
                source = filler.fill(program)
                given = None if stdin is None else filler.fill(stdin)
                args = shlex.split(filler.fill(options.get("args", "")))
                yield f"{path.stem}_{serial:03d}", source, given, args
                serial += 1


def write(directory, only="*"):
    """Writes NAME.py, and NAME.stdin and NAME.args (one argument a line) where a program has them; returns the names."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    names = []
    for name, source, stdin, args in programs():
        if not fnmatch.fnmatch(name, only):
            continue
        names.append(name)
        (directory / f"{name}.py").write_text(source, encoding="utf-8", newline="")
        if stdin is not None:
            (directory / f"{name}.stdin").write_text(stdin, encoding="utf-8", newline="")
        if args:
            (directory / f"{name}.args").write_text("\n".join(args) + "\n", encoding="utf-8", newline="")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", nargs="?", help="where to write; without it, only the counts by area are shown")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only the programs whose name matches")
    options = parser.parse_args()
    if options.directory:
        print(f"{len(write(options.directory, options.only))} programs")
        return
    counts = {}
    for name, *_ in programs():
        area = name.rpartition("_")[0]
        counts[area] = counts.get(area, 0) + 1
    for area, count in counts.items():
        print(f"{area:16} {count}")
    print(f"{'total':16} {sum(counts.values())}")


if __name__ == "__main__":
    main()
