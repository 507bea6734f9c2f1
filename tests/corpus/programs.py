"""Programs from the documentation of Python's standard library: the examples of each section, one after the other."""
import ast
import pathlib
import re
import subprocess
import sys
import textwrap
import warnings

SETUP = re.compile(r"^\.\. testsetup::.*\n\n((?:(?: +.*)?\n)+)", re.MULTILINE)
MODULE = re.compile(r"^\.\. module:: ([\w.]+)$", re.MULTILINE)
HEADING = re.compile(r"^(?=\S.*\n(?:={3,}|-{3,}|\^{3,}|~{3,})$)", re.MULTILINE)
EXAMPLE = re.compile(r"^( *)>>> (.*)((?:\n\1\.\.\.(?: .*)?$)*)", re.MULTILINE)


def parsed(text):
    """Nothing where that is no program: some of what is typed there is meant to be wrong, or is shortened by dots."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text).body
    except SyntaxError:
        return []


def typed(section):
    for indent, first, more in EXAMPLE.findall(section):
        yield from parsed(first + "".join("\n" + line[len(indent) + 4:] for line in more.split("\n")[1:]))


def guarded(statement):
    """Values are shown as the prompt shows them. What a statement raises is shown by its name, and the next one goes on:
    but what is imported has to be there."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return statement
    body = [statement]
    if isinstance(statement, ast.Expr):
        body = ast.parse("shown = 0\nif shown is not None: print(repr(shown))").body
        body[0].value = statement.value
    out = ast.parse("try: pass\nexcept Exception as error: print(type(error).__name__)").body[0]
    out.body = body
    return out


def imported(statement):
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def program(before, section):
    """The examples of a section as one program, behind what its page takes for granted; None where it has none, or where
    they import something that only the documentation knows."""
    body = list(typed(section))
    futures = [one for one in body if isinstance(one, ast.ImportFrom) and one.module == "__future__"]
    rest = [guarded(one) for one in before + [one for one in body if one not in futures]]
    if any(name.split(".")[0] not in sys.stdlib_module_names for one in rest for name in imported(one)):
        return None
    text = ast.unparse(ast.Module(futures + rest, [])) + "\n"
    # What is typed into asyncio's own prompt is no program, and what reads the library's own files reads other ones
    # wherever the interpreter has other patches.
    return text if body and parsed(text) and not re.search(r"\bawait\b|__file__", text) else None


def collect():
    """name -> program"""
    pages = subprocess.run([pathlib.Path(__file__).with_name("pages")], stdout=subprocess.PIPE, text=True, check=True).stdout
    out = {}
    for page in sorted(pathlib.Path(pages.strip()).glob("*.rst.txt")):
        text = page.read_text()
        before = parsed("\n".join("import " + name for name in MODULE.findall(text)))
        for block in SETUP.findall(text):
            before += parsed(textwrap.dedent(block))
        for number, section in enumerate(HEADING.split(text)):
            made = program(before, section)
            if made:
                out[f"{page.name.removesuffix('.rst.txt')}-{number:02}"] = made
    return out
