#!/usr/bin/env python3
"""Runs programs in a cell by the agent's waiting interpreter and by the bare one, and compares what they show.

    agent.py --agent-run build/release/bin/agent_run [--every N] [--only GLOB]

All runs have the same uid, root, folders and environment: the bare one is `python3 /workspace/main.py` itself, started
by the agent as any command. Python's programs run once more, in a cell that has been used: copies of one interpreter.
They are those of the WASI parity set, of which --every N takes each Nth. Those of agent/ are for Node, for Bash, and for
how Python ends. Where a difference is meant, DIFFERENT says which.
"""
import argparse
import concurrent.futures
import difflib
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import generate  # noqa: E402  (after the line above: no __pycache__ in the source tree)

HERE = pathlib.Path(__file__).resolve().parent
DIFFERENT = {
    "language_006": "lists sys.modules: a waiting interpreter has imported what programs usually import",
}
UID = rb"\b1800\d{6}\b"  # of a cell here: each has its own, so that cells of tests at the same time do not count together
# The last lines of a stack in Node: who called the main module. And what no two runs have in common.
SAME = [
    (rb"(Function|Module)\.executeUserEntryPoint \[as runMain\]", rb"executeUserEntryPoint"),
    (rb"(?m)^    at process\.processTicksAndRejections \(node:internal/process/task_queues:\d+:\d+\)\n", rb""),
    (rb"(?m)^    at node:internal/main/run_main_module:\d+:\d+\n", rb""),
    (rb"(?m)^\d+: (processTicksAndRejections|node:internal/main/run_main_module)\b.*\n", rb""),
    (rb"\(node:\d+\)", rb"(node:PID)"),
    (rb"0x[0-9a-f]{6,}", rb"0xADDRESS"),
]


def run(command, kind, program, stdin, args):
    argv = [*command, "run", "--env", "PYTHONHASHSEED=0", *kind]
    if stdin:
        argv += ["--stdin", str(stdin)]
    done = subprocess.run([*argv, str(program), "--", *args], capture_output=True, timeout=120)
    shown = {"stdout": done.stdout, "stderr": done.stderr, "status": b"%d" % done.returncode}
    for stream in ("stdout", "stderr"):
        shown[stream] = re.sub(UID, b"UID", shown[stream])
    for stream in ("stdout", "stderr"):
        for pattern, same in SAME if program.suffix == ".js" else SAME[-1:]:
            shown[stream] = re.sub(pattern, same, shown[stream])
    return shown


def compare(command, program):
    stdin, args = program.with_suffix(".stdin"), program.with_suffix(".args")
    given = (stdin if stdin.exists() else None, args.read_text().splitlines() if args.exists() else [])
    bare = run(command, ["--bare"], program, *given)
    problems = []
    for kind in [[], ["--again"]] if program.suffix == ".py" else [[]]:
        ours = run(command, kind, program, *given)
        for stream, wanted in bare.items():
            if wanted != ours[stream]:
                lines = [text.decode("utf-8", "backslashreplace").splitlines() for text in (wanted, ours[stream])]
                name = " ".join([stream, "ours", *kind])
                problems += [f"    {line[:200]}" for line in
                             list(difflib.unified_diff(*lines, f"{stream} bare", name, n=1, lineterm=""))[:14]]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--agent-run", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    command = [os.path.abspath(options.agent_run)]
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as probe:
        print("echo here", file=probe, flush=True)
        if run(command, [], pathlib.Path(probe.name), None, [])["stdout"] != b"here\n":
            print("no cell can be made here")
            sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="parity-set-") as folder:
        folder = pathlib.Path(folder)
        names = generate.write(folder, "*")[::options.every]
        programs = [folder / f"{name}.py" for name in names]
        programs += sorted(path for path in HERE.glob("agent/*") if path.suffix in (".js", ".py", ".sh"))
        programs = [program for program in programs if fnmatch.fnmatch(program.name, options.only)]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = list(zip(programs, pool.map(lambda program: compare(command, program), programs)))
    failed = 0
    for program, problems in results:
        reason = DIFFERENT.get(program.stem)
        if reason and not problems:
            problems = [f"    does not differ any more: {reason}"]
        elif reason:
            problems = []
        if problems:
            failed += 1
            print(f"FAIL {program.name}", *problems, sep="\n")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
