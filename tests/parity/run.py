#!/usr/bin/env python3
"""Runs the parity programs under bare CPython and under hotcell, and compares stdout, stderr and exit status as bytes.

    run.py --hotcell build/release/bin/hotcell [--jobs N] [--only GLOB]

The native side runs in a directory that holds main.py and nothing else. Tracebacks and __file__ show that directory, so
it has to *be* /workspace: as root each program gets a mount namespace of its own with its directory bound there and an
empty /tmp. Elsewhere the prefix is replaced in the output (said in the summary: columns and lengths printed by a program
may then differ for no fault of hotcell's).

What a 32-bit CPython under WASI must show differently stands in exclusions.txt, one `NAME: reason` a line. An exclusion
is a claim, and checked as one: a program that no longer differs is an error. Better than a bare exclusion is
expected/NAME.stdout, .stderr or .status: that stream must then equal the file, exactly, and the others the native ones.
"""
import argparse
import concurrent.futures
import difflib
import fnmatch
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import generate  # noqa: E402  (after the line above: no __pycache__ in the source tree)

HERE = pathlib.Path(__file__).resolve().parent
NATIVE = "/usr/bin/python3.11"
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0",
               "PYTHONDONTWRITEBYTECODE": "1"}
STREAMS = ("stdout", "stderr", "status")
# $1 is the program's directory. /workspace is bound first: the directory itself lies under /tmp. The mount is lazy about
# who sees it: a private namespace, so nothing has to be undone.
IN_WORKSPACE = 'mount --bind "$1" /workspace && mount -t tmpfs none /tmp && cd /workspace && shift && exec "$@"'


class Workspace:
    """Makes /workspace mountable while the harness runs; `mounted` says whether that worked."""

    def __enter__(self):
        self.made = False
        self.mounted = False
        if os.geteuid() == 0:
            try:
                os.mkdir("/workspace")
                self.made = True
            except FileExistsError:
                pass
            with tempfile.TemporaryDirectory() as probe:
                self.mounted = subprocess.run(self.command(probe, ["true"]), stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL).returncode == 0
        return self

    def __exit__(self, *_):
        if self.made:
            os.rmdir("/workspace")

    @staticmethod
    def command(directory, argv):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_WORKSPACE, "sh", directory, *argv]


def finish(argv, timeout, **options):
    """Runs to the end; returns {stdout, stderr, status} with the status as a shell would show it."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, **options)
    except subprocess.TimeoutExpired as late:
        return {"stdout": late.stdout or b"", "stderr": late.stderr or b"", "status": b"no end in %d s" % timeout}
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return {"stdout": done.stdout, "stderr": done.stderr, "status": b"%d" % status}


class Program:
    """One generated program: how to run it on both sides."""

    def __init__(self, folder, name):
        self.name = name
        self.source = folder / f"{name}.py"
        stdin = folder / f"{name}.stdin"
        self.stdin = stdin if stdin.exists() else None
        args = folder / f"{name}.args"
        self.args = args.read_text(encoding="utf-8").splitlines() if args.exists() else []

    def native(self, workspace, timeout):
        with tempfile.TemporaryDirectory(prefix="parity-") as directory:
            shutil.copyfile(self.source, os.path.join(directory, "main.py"))
            argv = [NATIVE, "main.py", *self.args]
            if workspace.mounted:
                argv = workspace.command(directory, argv)
            with open(self.stdin or os.devnull, "rb") as stdin:
                result = finish(argv, timeout, cwd=directory, env=ENVIRONMENT, stdin=stdin)
            if not workspace.mounted:
                for stream in ("stdout", "stderr"):
                    result[stream] = result[stream].replace(directory.encode(), b"/workspace")
            return result

    def hotcell(self, command, timeout):
        with tempfile.TemporaryDirectory(prefix="parity-") as directory:
            shutil.copyfile(self.source, os.path.join(directory, "main.py"))
            argv = [*command, "run", "--engine", "wasi", "--env", "LANG=C.UTF-8", "--env", "PYTHONHASHSEED=0"]
            if self.stdin:
                argv += ["--stdin", str(self.stdin)]
            argv += ["main.py", "--", *self.args]
            return finish(argv, timeout, cwd=directory, stdin=subprocess.DEVNULL)


def read_exclusions(path):
    exclusions = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, reason = line.partition(":")
        if not colon or not reason.strip():
            sys.exit(f"{path}:{number}: expected NAME: reason")
        if name in exclusions:
            sys.exit(f"{path}:{number}: {name} is there twice")
        exclusions[name] = reason.strip()
    return exclusions


def read_expected(name, folder):
    """The wasm-side truth that is committed for this program: {stream: bytes}, mostly empty."""
    expected = {}
    for stream in STREAMS:
        path = folder / f"{name}.{stream}"
        if path.exists():
            data = path.read_bytes()
            expected[stream] = data.strip() if stream == "status" else data
    return expected


def short_diff(stream, wanted, got, limit=12):
    def lines(data):
        return data.decode("utf-8", "backslashreplace").splitlines(keepends=True)
    if stream == "status":
        return [f"    status: wanted {wanted.decode()}, got {got.decode()}"]
    diff = list(difflib.unified_diff(lines(wanted), lines(got), f"{stream} wanted", f"{stream} got", n=1))
    shown = [f"    {line.rstrip()[:240]}" for line in diff[:limit]]
    if len(diff) > limit:
        shown.append(f"    … {len(diff) - limit} more lines of difference")
    return shown or [f"    {stream}: only line ends or undecodable bytes differ: {wanted[-40:]!r} / {got[-40:]!r}"]


def judge(name, native, hotcell, expected, excluded):
    """Returns the lines that say what is wrong; none when the program passes."""
    problems = []
    if excluded and not expected:
        if native == hotcell:
            problems.append("    exclusion is stale: both sides are equal")
        return problems
    if expected and not excluded:
        problems.append("    expected/ has a file for a program that exclusions.txt does not name")
    for stream in STREAMS:
        if stream in expected and expected[stream] == native[stream]:
            problems.append(f"    exclusion is stale: expected {stream} equals the native one")
        wanted = expected.get(stream, native[stream])
        if wanted != hotcell[stream]:
            problems += short_diff(stream, wanted, hotcell[stream])
    return problems


def check_native(program, workspace, timeout):
    """A program is fit for comparison only if it is deterministic: two native runs, in two directories, must agree."""
    first, second = program.native(workspace, timeout), program.native(workspace, timeout)
    problems = []
    for stream in STREAMS:
        if first[stream] != second[stream]:
            problems += ["    not deterministic natively"] + short_diff(stream, first[stream], second[stream])
    if not any(first[stream] for stream in ("stdout", "stderr")) and first["status"] == b"0":
        problems.append("    shows nothing at all")
    return problems


def report(results, footnote):
    failed = 0
    for name, problems in results:
        if problems:
            failed += 1
            print(f"FAIL {name}", *problems, sep="\n")
    print(f"{len(results) - failed} passed, {failed} failed{footnote}")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hotcell", help="the command to test; may hold arguments")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("--timeout", type=int, default=20, help="seconds for each side of one program")
    parser.add_argument("--check-native", action="store_true", help="only check that the programs are deterministic")
    parser.add_argument("--update-expected", action="store_true",
                        help="write what hotcell shows for the excluded programs to expected/; then read the diff")
    parser.add_argument("--exclusions", type=pathlib.Path, default=HERE / "exclusions.txt", help=argparse.SUPPRESS)
    parser.add_argument("--expected", type=pathlib.Path, default=HERE / "expected", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.hotcell and not options.check_native:
        parser.error("--hotcell or --check-native is needed")
    exclusions = read_exclusions(options.exclusions)

    with tempfile.TemporaryDirectory(prefix="parity-set-") as folder, Workspace() as workspace:
        folder = pathlib.Path(folder)
        names = generate.write(folder, options.only)
        known = {name for name, *_ in generate.programs()}
        unknown = sorted((exclusions.keys() | {path.stem for path in options.expected.glob("*.*")}) - known)
        if unknown:
            sys.exit(f"no such program: {', '.join(unknown)}")
        if not names:
            sys.exit(f"no program matches {options.only}")

        def one(name):
            program = Program(folder, name)
            if options.check_native:
                return name, check_native(program, workspace, options.timeout)
            native = program.native(workspace, options.timeout)
            hotcell = program.hotcell(command, options.timeout)
            if options.update_expected and name in exclusions and native != hotcell:
                for stream in STREAMS:
                    path = options.expected / f"{name}.{stream}"
                    path.unlink(missing_ok=True)
                    if native[stream] != hotcell[stream] and "[any]" not in exclusions[name]:
                        path.write_bytes(hotcell[stream])
            expected = read_expected(name, options.expected)
            return name, judge(name, native, hotcell, expected, name in exclusions)

        command = shlex.split(options.hotcell or "")
        if command and os.path.exists(command[0]):
            command[0] = os.path.abspath(command[0])  # programs run elsewhere
        with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
            results = list(pool.map(one, names))
        applied = sum(fnmatch.fnmatch(name, options.only) for name in exclusions)
        footnote = f" ({applied} of them by the exclusion list)" if applied and not options.check_native else ""
        if not workspace.mounted:
            footnote += " (native side without /workspace: prefix replaced)"
        return report(results, footnote)


if __name__ == "__main__":
    sys.exit(main())
