#!/usr/bin/env python3
"""Compares the imports that hotcell finds with those that Python's own parser finds, and where the programs are routed.

    compare.py --hotcell build/release/bin/hotcell [--least 0.95]

Programs: programs/*.py beside this file (tricky forms), all of tests/parity, and the modules of the interpreter's own
library. They are parsed, never run: by `ast` in the interpreter that reads this file, by hotcell's own parser in
`hotcell deps --json`.

For each program both sides must name the same imports at the same lines, with the same three flags: relative, optional
(a try catches its absence), type_checking. Programs that are no Python for `ast` are skipped and counted.

The routing corpus: parity programs need the standard library only, so at least LEAST of them must be routed to WASI;
those that are not stand in not_wasi.txt, each with the reason that hotcell gives.
"""
import argparse
import ast
import collections
import concurrent.futures
import os
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import generate  # noqa: E402

CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


class Finder(ast.NodeVisitor):
    """The reference: what the interpreter's own tree says."""

    def __init__(self):
        self.found = []
        self.guarded = self.typing = False
        self.names = {}
        self.calls = []

    def add(self, node, module, member, relative):
        self.found.append((module, member, node.lineno, relative, self.guarded, self.typing))

    def visit_Import(self, node):
        for alias in node.names:
            self.add(node, alias.name, "", False)
            self.names.setdefault(alias.asname or alias.name.split(".")[0], set()).add(
                alias.name if alias.asname else alias.name.split(".")[0])

    def visit_ImportFrom(self, node):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            self.add(node, module, alias.name, node.level > 0)
            if not node.level:
                self.names.setdefault(alias.asname or alias.name, set()).add(module + "." + alias.name)

    def within(self, nodes, **flags):
        old = {name: getattr(self, name) for name in flags}
        for name, value in flags.items():
            setattr(self, name, value)
        for node in nodes:
            self.visit(node)
        for name, value in old.items():
            setattr(self, name, value)

    def visit_function(self, node):
        # A try around a definition guards nothing that happens when it is called.
        for part in [*getattr(node, "decorator_list", []), node.args]:
            self.visit(part)
        self.within(node.body if isinstance(node.body, list) else [node.body], guarded=False)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_function

    def visit_Try(self, node):
        def catches(handler):
            names = [getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(handler.type)] if handler.type else CATCHES
            gives_up = any(isinstance(s, ast.Raise) or (
                isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and
                ast.unparse(s.value.func) in ("sys.exit", "exit", "quit", "os._exit")) for s in handler.body)
            return bool(CATCHES & set(names)) and not gives_up
        self.within(node.body, guarded=self.guarded or any(map(catches, node.handlers)))
        for part in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(part)

    visit_TryStar = visit_Try

    def visit_With(self, node):
        suppressed = any(isinstance(i.context_expr, ast.Call) and ast.unparse(i.context_expr.func).endswith("suppress")
                         and CATCHES & {ast.unparse(a) for a in i.context_expr.args} for i in node.items)
        for item in node.items:
            self.visit(item)
        self.within(node.body, guarded=self.guarded or suppressed)

    def visit_If(self, node):
        test, inverted = node.test, False
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, inverted = test.operand, True
        checking = isinstance(test, (ast.Name, ast.Attribute)) and \
            (test.id if isinstance(test, ast.Name) else test.attr) == "TYPE_CHECKING"
        self.visit(node.test)
        self.within(node.body, typing=self.typing or (checking and not inverted))
        self.within(node.orelse, typing=self.typing or (checking and inverted))

    def visit_Call(self, node):
        self.calls.append((node, self.guarded, self.typing))
        self.generic_visit(node)

    def finish(self):
        for node, guarded, typing in self.calls:
            callee = ast.unparse(node.func)
            first, dot, rest = callee.partition(".")
            meanings = {name + dot + rest for name in self.names.get(first, ())} | ({callee} & {"__import__"})
            imports = meanings & {"__import__", "importlib.import_module", "importlib.__import__", "builtins.__import__"}
            asks = meanings & {"importlib.util.find_spec", "pytest.importorskip"}
            if not imports and not asks:
                continue
            argument = next((k.value for k in node.keywords if k.arg == "name"), node.args[0] if node.args else None)
            try:  # what the compiler folds: "a" "b", "a" + "b"
                value = ast.literal_eval(argument) if not isinstance(argument, ast.BinOp) else fold(argument)
            except (ValueError, TypeError, AttributeError):
                continue
            if isinstance(value, str) and value and not set(value) & set(" \n\t/\\"):
                self.found.append((value, "", node.lineno, value.startswith("."), guarded or bool(asks), typing))
        return collections.Counter(self.found)


def fold(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return fold(node.left) + fold(node.right)
    return ast.literal_eval(node)


def reference(source):
    finder = Finder()
    finder.visit(ast.parse(source))
    return finder.finish()


def ask(hotcell, path):
    done = subprocess.run([hotcell, "deps", "--json", "-l", "python", str(path)], capture_output=True, timeout=60)
    if done.returncode:
        raise SystemExit(f"{path}: {done.stderr.decode(errors='replace')}")
    return json.loads(done.stdout)


def found_by(answer):
    return collections.Counter(
        (i["module"], i.get("name", ""), i["line"], i.get("relative", False), i.get("optional", False),
         i.get("type_checking", False)) for i in answer["imports"])


def library():
    """What CPython is made of, without programs that are wrong on purpose."""
    folder = pathlib.Path(os.__file__).parent
    return [path for path in sorted(folder.rglob("*.py"))
            if not {"site-packages", "dist-packages", "data"} & set(path.parts) and "badsyntax" not in path.name]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hotcell", required=True)
    parser.add_argument("--least", type=float, default=0.95)
    options = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    bad = skipped = compared = imports = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        generate.write(folder)
        paths = sorted((HERE / "programs").glob("*.py")) + sorted(folder.glob("*.py")) + library()
        readable = []
        for path in paths:
            try:
                readable.append((path, reference(path.read_bytes())))
            except (SyntaxError, ValueError, RecursionError):
                skipped += 1
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda pair: ask(options.hotcell, pair[0]), readable))
        elsewhere = {}
        wasi = 0
        for (path, expected), answer in zip(readable, answers):
            got = found_by(answer)
            compared += 1
            imports += sum(expected.values())
            if got != expected:
                bad += 1
                print(f"{path.name}: only ast: {sorted((expected - got).items())} only hotcell: {sorted((got - expected).items())}")
            if path.parent == folder:
                # Anything in the way would send it to Docker where there is one.
                obstacles = answer["engine"]["not_wasi_because"]
                if answer["engine"]["name"] == "wasi" and not obstacles:
                    wasi += 1
                else:
                    elsewhere[path.stem] = obstacles[0]["sentence"] if obstacles else answer["engine"]["chosen_because"]
    total = wasi + len(elsewhere)
    listed = dict(line.split(": ", 1) for line in (HERE / "not_wasi.txt").read_text().splitlines() if line[:1] != "#")
    print(f"routing: {wasi} of {total} standard-library programs to WASI ({wasi / total:.1%})")
    for name in sorted(set(elsewhere) | set(listed)):
        if elsewhere.get(name) != listed.get(name):
            bad += 1
            print(f"  {name}: now {elsewhere.get(name, 'WASI')}; in not_wasi.txt: {listed.get(name, 'WASI')}")
    enough = wasi / total >= options.least
    print(f"{imports} imports in {compared} programs, {skipped} skipped: they are no Python 3.11")
    print(f"{compared + enough - min(bad, compared)} passed, {bad + (not enough)} failed, {skipped} skipped")
    return 1 if bad or not enough else 0


if __name__ == "__main__":
    sys.exit(main())
