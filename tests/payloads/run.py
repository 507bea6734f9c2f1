#!/usr/bin/env python3
"""Runs the hostile programs and modules, and after each of them a canary; then all at once.

    run.py --hotcell build/release/bin/hotcell [--only GLOB] [--no-crowd] [--list]

A payload is one file; generated.py holds those whose bytes no text file can. Its head comment says what must become of it:
    # expect: timeout | memory_limit       any of these outcomes (below)
    # timeout: 10                          seconds; when absent 10, or 2 where a timeout is expected
    # options: --memory 64                 more options for hotcell
    # shows: text                          stdout holds this            (# shows_error: the same for stderr)
    # truncated: stdout stderr             just these streams were cut, and nothing else
    # lossy: stdout                        just these streams were no UTF-8
    # hides: text | text                   neither stream holds any of these
    # files: a.txt b.txt                   just these files come back      (# hides_in_files: text | text)
    # within: 5                            seconds after which it must have ended, where its timeout is longer
Outcomes: completed · exit N · exception [Name] · signal N · trap · refused · any code of a timeout or a limit.

Checked: the exit status of the CLI, `status`, `error.code`, that it ends within its timeout plus 1.5 s, that the result
is one well-formed JSON object, and that the canary gives its bytes right afterwards, in time.
"""
import argparse
import base64
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import generated  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
RUN = ["run", "--engine", "wasi"]
GRACE = 1.5            # how much later than its timeout a run may end
READING = 4            # seconds: parsing and rules, which come before, may take two each where a program is large
LARGE = 1 << 20
CANARY_TIMEOUT = 5
MAX_RESULT = 32 << 20  # a result larger than this means that some cap is missing
LIMITS = ("memory_limit", "stack_limit", "table_limit", "disk_limit", "fuel_limit", "output_limit", "process_limit",
          "result_limit")
# A trap has no exit code of its own: like a native crash, it shows as a signal (or as a plain 1), never as success.
TRAP_EXITS = (1, 128 + 4, 128 + 6, 128 + 8, 128 + 11)
FIELDS = ("expect", "timeout", "options", "shows", "shows_error", "truncated", "lossy", "hides", "files", "hides_in_files", "within",
          "beside", "repeat")


def parse_header(text, where):
    header = {}
    for line in text.splitlines():
        match = re.match(r"(?:#|;;|//)?\s*([a-z_]+): ?(.*)$", line)
        if match and match[1] in FIELDS:
            header[match[1]] = match[2].strip()
        elif not line.startswith(("#", ";;", "//")):
            break
    if "expect" not in header:
        sys.exit(f"{where}: no `expect:` in the head comment")
    return header


class Payload:
    def __init__(self, name, header, path):
        self.name = name
        self.path = path
        self.is_module = path.suffix in (".wat", ".wasm")
        self.options = shlex.split(header.get("options", ""))
        self.outcomes = [part.strip() for part in header["expect"].split("|")]
        # A program that ends by itself gets time to do so on a busy machine too.
        self.timeout = float(header.get("timeout", 2 if "timeout" in self.outcomes else 10))
        self.shows = {"stdout": header.get("shows"), "stderr": header.get("shows_error")}
        self.hides = [text.strip() for text in header.get("hides", "").split("|") if text.strip()]
        self.files = sorted(header["files"].split()) if "files" in header else None
        self.hides_in_files = [text.strip() for text in header.get("hides_in_files", "").split("|") if text.strip()]
        self.within = float(header.get("within", self.timeout))
        self.beside = header.get("beside")
        self.repeat = int(header.get("repeat", 1))
        self.flags = {name: set(header.get(name, "").split()) for name in ("truncated", "lossy")}

    def command(self, hotcell):
        verb = ["wasm"] if self.is_module else RUN
        return [*hotcell, *verb, "--json", "--timeout", f"{self.timeout:g}", *self.options, str(self.path)]


def load(folder):
    """Every payload, in a fixed order; writes the generated ones below `folder`."""
    payloads = []
    for path in sorted([*HERE.glob("*/*.py"), *HERE.glob("*/*.wat")]):
        name = str(path.relative_to(HERE))
        payloads.append(Payload(name, parse_header(path.read_text(encoding="utf-8"), name), path))
    for kind, suffix, made in (("python", ".py", generated.python_payloads()),
                               ("wasm", ".wasm", generated.module_payloads())):
        (folder / kind).mkdir()
        for name, header, data in made:
            path = folder / kind / f"{name}{suffix}"
            path.write_bytes(data)
            name = f"generated/{kind}/{path.name}"
            payloads.append(Payload(name, parse_header(header, name), path))
    return payloads


def outcome_problem(outcome, exit_status, result):
    """None when the run was this outcome, else one line that says how not."""
    status, error = result.get("status"), result.get("error") or {}
    code = error.get("code")
    kind, _, rest = outcome.partition(" ")
    if kind == "completed":
        wanted = exit_status == 0 and status == "completed" and not error
    elif kind == "exit":
        # 120: the exception was told, and then standard output could not be closed.
        wanted = exit_status == int(rest) and status == "failed" and code in (None, "exit", *(["exception"] if rest == "120" else []))
    elif kind == "exception":
        wanted = exit_status == 1 and status == "failed" and code == "exception"
        if rest:
            wanted = wanted and error.get("name") == rest
    elif kind == "signal":
        wanted = exit_status == 128 + int(rest) and status == "failed" and code == "signal"
    elif kind == "trap":
        wanted = exit_status in TRAP_EXITS and status == "failed" and code in ("trap", "signal", "exception")
    elif kind == "timeout":
        wanted = exit_status == 124 and status == "timeout" and code in ("timeout", "cpu_limit")
    elif kind == "refused":
        # Never admitted, so either a rejected result or a problem (whose `status` is an HTTP number).
        wanted = exit_status == 125 and (status == "rejected" or isinstance(status, int)) and (code or result.get("code"))
    elif kind in LIMITS:
        wanted = exit_status == 137 and status == "limit_exceeded" and code == kind
    else:
        sys.exit(f"unknown outcome {outcome!r}")
    return None if wanted else f"exit {exit_status}, status {status!r}, code {code!r}, name {error.get('name')!r}"


def check_result(payload, exit_status, stdout, stderr):
    if len(stdout) > MAX_RESULT:
        return [f"the result has {len(stdout)} bytes"]
    try:
        result = json.loads(stdout)
    except ValueError as error:
        return [f"stdout is not one JSON value ({error}): exit {exit_status}, {stdout[:150]!r}, stderr {stderr[:150]!r}"]
    if not isinstance(result, dict):
        return ["the result is not an object"]
    said = [outcome_problem(outcome, exit_status, result) for outcome in payload.outcomes]
    problems = []
    if all(said):
        message = str((result.get("error") or {}).get("message", result.get("detail", "")))[:160]
        problems.append(f"wanted {' | '.join(payload.outcomes)}, got {said[0]}; {message}")
    elif outcome_is_ours(result):
        problems.append("a sandbox_error: hotcell's own fault")
    for stream, text in payload.shows.items():
        if text and text not in result.get(stream, ""):
            problems.append(f"{stream} does not show {text!r}: {result.get(stream, '')[-160:]!r}")
    for text in payload.hides:
        for stream in ("stdout", "stderr"):
            if text in result.get(stream, ""):
                at = result[stream].index(text)
                problems.append(f"{stream} shows {text!r}: {result[stream][max(0, at - 80):at + 160]!r}")
    problems += check_files(payload, result)
    for name, wanted in payload.flags.items():
        got = {stream for stream, set_ in (result.get(name) or {}).items() if set_}
        if wanted and got != wanted:
            problems.append(f"{name}: wanted {sorted(wanted)}, got {sorted(got)}")
    return problems


def check_files(payload, result):
    problems = []
    files = result.get("files", [])
    got = sorted(file["path"] for file in files)
    if payload.files is not None and got != payload.files:
        problems.append(f"files: wanted {payload.files}, got {got[:20]}")
    for file in files:
        content = base64.b64decode(file.get("content_base64") or "")
        problems += [f"{file['path']} holds {text!r}" for text in payload.hides_in_files if text.encode() in content]
    return problems


def outcome_is_ours(result):
    return result.get("status") == "sandbox_error"


def execute(argv, timeout):
    """Returns (exit status, stdout, stderr, seconds); the exit status is None when it had to be killed."""
    start = time.monotonic()
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        return None, late.stdout or b"", late.stderr or b"", time.monotonic() - start
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr, time.monotonic() - start


def run_payload(hotcell, payload):
    status, stdout, stderr, seconds = execute(payload.command(hotcell), payload.timeout + 20)
    if status is None:
        return [f"did not end {seconds:.1f} s after it began, with a timeout of {payload.timeout:g} s"]
    problems = check_result(payload, status, stdout, stderr)
    reading = READING if payload.path.stat().st_size > LARGE else 0
    if seconds > reading + min(payload.timeout, payload.within) + GRACE:
        problems.append(f"ended after {seconds:.2f} s with a timeout of {payload.timeout:g} s, wanted within {payload.within:g} s")
    return problems


def require_cell(hotcell):
    """These programs are hostile: they fill disks, fork, and try to reach what is outside. Nothing of them is started
    unless the command under test shows that its Python is a WASI one. There is no option to skip this."""
    status, stdout, _, _ = execute([*hotcell, *RUN, "-c", "import sys; print(sys.platform)"], 20)
    if status != 0 or stdout != b"wasi\n":
        sys.exit(f"refusing: {shlex.join(hotcell)} does not run programs in a WASI cell (exit {status}, {stdout[:80]!r})")


def run_canary(hotcell):
    status, stdout, stderr, seconds = execute([*hotcell, *RUN, str(HERE / "canary.py")], CANARY_TIMEOUT)
    problems = []
    if status != 42:
        problems.append(f"canary: exit {status} after {seconds:.1f} s, stderr {stderr[-200:]!r}")
    if stdout != (HERE / "canary.stdout").read_bytes():
        problems.append(f"canary: stdout {stdout!r}")
    if stderr != "é中🐍\n".encode():
        problems.append(f"canary: stderr {stderr[-300:]!r}")
    return problems


# Four loops, a sleeper, a memory bomb, a flood and a module that loops.
CROWD = ("loops/plain.py", "loops/swallows_interrupt.py", "loops/big_power.py", "loops/regex_backtracking.py",
         "sleeps/ten_to_the_nine.py", "memory/swallows_memory_error.py", "floods/stdout.py", "modules/infinite_loop.wat")


def run_crowd(hotcell, payloads, names=CROWD, canaries=8):
    """The canary beside others that go on for as long as it sings."""
    crowd = []
    with tempfile.TemporaryFile() as sink:
        for payload in payloads:
            if payload.name in names:
                payload.timeout = 30
                crowd.append(subprocess.Popen(payload.command(hotcell), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink))
        try:
            problems = [problem for _ in range(canaries) for problem in run_canary(hotcell)]
            ended = [process.args[-1] for process in crowd if process.poll() is not None]
            if ended:
                problems.append(f"these ended too early to have been a crowd: {ended}")
            return problems
        finally:
            for process in crowd:
                process.terminate()
            for process in crowd:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hotcell", help="the command to test; may hold arguments")
    parser.add_argument("--only", default="*", metavar="GLOB", help="matched against folder/name")
    parser.add_argument("--jobs", type=int, default=3, help="how many at once")
    parser.add_argument("--no-crowd", action="store_true", help="leave out the canary beside a crowd")
    parser.add_argument("--list", action="store_true", help="show what there is and what is expected of it")
    parser.add_argument("--verbose", action="store_true", help="also name what passed, and how long it took")
    options = parser.parse_args()
    if not options.hotcell and not options.list:
        parser.error("--hotcell is needed")
    hotcell = shlex.split(options.hotcell or "")

    passed = failed = 0

    def count(name, problems, seconds):
        nonlocal passed, failed
        if problems:
            failed += 1
            print(f"FAIL {name}", *(f"    {problem}" for problem in problems), sep="\n", flush=True)
        else:
            passed += 1
            if options.verbose:
                print(f"ok   {name} ({seconds:.2f} s)", flush=True)

    with tempfile.TemporaryDirectory(prefix="payloads-") as folder:
        payloads = load(pathlib.Path(folder))
        chosen = [payload for payload in payloads if fnmatch.fnmatch(payload.name, options.only)]
        if not chosen:
            sys.exit(f"no payload matches {options.only}")
        if options.list:
            for payload in chosen:
                print(f"{payload.name:60} {' | '.join(payload.outcomes)}")
            print(f"{len(chosen)} payloads")
            return 0
        require_cell(hotcell)
        problems = run_canary(hotcell)
        count("canary before everything", problems, 0)

        def one(payload):
            start = time.monotonic()
            problems = run_payload(hotcell, payload)
            seconds = time.monotonic() - start
            return payload.name, problems + run_canary(hotcell), seconds

        # Several at once: most only wait for their timeout, and a canary must sing beside another's payload too.
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for name, problems, seconds in pool.map(one, chosen):
                count(name, problems, seconds)
        if not options.no_crowd and options.only == "*":
            start = time.monotonic()
            count("canary in a crowd", run_crowd(hotcell, payloads), time.monotonic() - start)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
