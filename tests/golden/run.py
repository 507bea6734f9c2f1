#!/usr/bin/env python3
"""Golden files for the command line: input, arguments and expected output in one file.

Each tests/golden/cli/NAME.txt holds sections that begin with a line "--- name":
  --- args        one argument a line, {bin} and {dir} replaced
  --- stdin       optional
  --- file NAME   optional, may be repeated: written to the folder that the command runs in
  --- link NAME:TARGET, --- absent NAME, --- check (lines NAME:CONTENT): a link made before, and what must be there after
  --- env         optional, NAME=VALUE a line
  --- stdout, --- stderr   expected, byte for byte; absent: empty. A line "..." stands for any lines.
  --- status N
run.py --hotcell PATH [--update] [NAME...]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent


def parse(text):
    sections, status = [], 0
    for line in text.splitlines(keepends=True):
        if line.startswith("--- status"):
            status = int(line.split()[2])
        elif line.startswith("--- "):
            sections.append([line[4:].strip(), ""])
        elif sections:
            sections[-1][1] += line
    return sections, status


def matches(wanted, got):
    """Literal, except that a line "..." matches any number of lines."""
    pattern = "".join("(?:.*\n)*?" if line == "...\n" else re.escape(line) for line in wanted.splitlines(keepends=True))
    return re.fullmatch(pattern, got) is not None


def run(path, hotcell):
    sections, status = parse(path.read_text())
    part = dict(sections)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sections:
            if name.startswith("file "):
                target = pathlib.Path(folder) / name[5:]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
            elif name.startswith("link "):
                link, target = name[5:].split(":")
                (pathlib.Path(folder) / link).parent.mkdir(parents=True, exist_ok=True)
                (pathlib.Path(folder) / link).symlink_to(target)
        fill = lambda text: text.replace("{bin}", hotcell).replace("{dir}", folder).replace("{root}", str(here.parent.parent))
        args = [fill(a) for a in part["args"].splitlines()]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WASI_", "PYTHON_WASI", "CODE_EXECUTION_"))}
        env["HOTCELL_CONFIG"] = "/dev/null"
        env["HOTCELL_STATE"] = folder + "/state"
        env["HOTCELL_STATE_DIR"] = folder + "/state"  # no service of this machine is there
        env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"  # the same on every machine; tests/integration has a daemon
        env |= dict(fill(line).split("=", 1) for line in part.get("env", "").splitlines())
        done = subprocess.run([hotcell, *args], input=part.get("stdin", ""), capture_output=True, text=True, cwd=folder,
                              env=env, timeout=60)
        unfill = lambda text: text.replace(folder, "{dir}").replace(hotcell, "{bin}")
        out, err = unfill(done.stdout), unfill(done.stderr)
        after = [(pathlib.Path(folder) / n[7:]).exists() for n, _ in sections if n.startswith("absent ")]
        for line in part.get("check", "").splitlines():
            name, content = line.split(":", 1)
            file = pathlib.Path(folder) / name
            after.append(not file.exists() or file.read_text() != content)
    good = not any(after) and done.returncode == status and matches(part.get("stdout", ""), out) and matches(part.get("stderr", ""), err)
    return good, done.returncode, out, err, sections


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--hotcell", required=True)
    options.add_argument("--update", action="store_true", help="write what came out into the files; then read the diff")
    options.add_argument("names", nargs="*")
    options = options.parse_args()
    hotcell = str(pathlib.Path(options.hotcell).resolve())
    passed = failed = 0
    for path in sorted((here / "cli").glob("*.txt")):
        if options.names and path.stem not in options.names:
            continue
        good, status, out, err, sections = run(path, hotcell)
        if good:
            passed += 1
            continue
        failed += 1
        print(f"FAIL {path.stem}: status {status}\n  stdout {out!r}\n  stderr {err!r}")
        if options.update:
            kept = "".join(f"--- {n}\n{c}" for n, c in sections if n not in ("stdout", "stderr"))
            path.write_text(kept + (f"--- stdout\n{out}" if out else "") + (f"--- stderr\n{err}" if err else "") + f"--- status {status}\n")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


main()
