#!/usr/bin/env python3
"""Runs the examples of docs/http.md and compares what they print: docs_test.py --bin FOLDER [FILE...]

In a block ```console, `$ ` begins a command and `> ` goes on with it; the lines below are what it prints, where `…`
stands for anything. The commands of one block share a shell.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from service import Service

ADDRESS = "127.0.0.1:4682"  # in the documents
root = pathlib.Path(__file__).resolve().parent.parent.parent
END = "--end of a command--"


def steps_of(block):
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], ""])
        elif line.startswith("> ") and not steps[-1][1]:
            steps[-1][0] += "\n" + line[2:]
        else:
            steps[-1][1] += line + "\n"
    return steps


def run(block, address):
    steps = steps_of(block)
    script = "".join(f"{command}\necho; echo '{END}'\n" for command, _ in steps).replace(ADDRESS, address)
    with tempfile.TemporaryDirectory(prefix="hotcell-docs-") as folder:
        done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)
    printed = done.stdout.split(END + "\n")[:-1]
    assert len(printed) == len(steps), (done.stdout, done.stderr)
    for (command, expected), found in zip(steps, printed):
        pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
        if not re.fullmatch(pattern, found.strip(), re.S):
            yield f"$ {command}\nexpected:\n{expected}\nprinted:\n{found}{done.stderr}"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bin", required=True, type=pathlib.Path)
    options.add_argument("files", nargs="*", type=pathlib.Path, default=[root / "docs" / "http.md"])
    options = options.parse_args()
    service = Service(options.bin.resolve())
    passed = failed = 0
    try:
        host, port = service.tcp()
        for file in options.files:
            for block in re.findall(r"^```console\n(.*?)^```$", file.read_text(), re.S | re.M):
                problems = list(run(block, f"{host}:{port}"))
                passed += not problems
                failed += bool(problems)
                print("\n".join(problems), end="")
    finally:
        service.stop()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
