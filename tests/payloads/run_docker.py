#!/usr/bin/env python3
"""Runs the hostile programs of tests/payloads/docker in Docker cells, and after each of them a canary.

    run_docker.py --hotcell build/release/bin/hotcell [--only GLOB] [--jobs N] [--list]

Their heads are those of run.py, and two lines more:
    # beside: isolation/neighbour.py       that one runs meanwhile, and must still run at the end
    # repeat: 3                            several times, one after the other
Checked as there. Programs that look for holes print "OPEN: ..." for each they find, and "held" at their end.

At the end nothing may be left of all that: no container that was not there before.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import run  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "docker"
# Beside these the canary must sing as if it were alone.
CROWD = (
    "bombs/fork_patient.py",
    "bombs/processors.py",
    "floods/both_from_children.py",
    "floods/stdout.py",
    "processes/ignores_signals.py",
)
# Stands in the environment of hotcell, and must not be found in any cell.
SECRET = {"PASSWORD_OF_THE_TEST": "xyzzy-secret"}
NEIGHBOUR_STARTS = 20  # seconds

run.RUN = ["run", "--engine", "docker"]
run.GRACE = 4  # a cell that was not warm has to be made, and is taken down before the command ends
run.CANARY_TIMEOUT = 15


def load():
    payloads = []
    for path in sorted(path for path in HERE.glob("*/*") if path.suffix in (".py", ".js", ".sh")):
        name = str(path.relative_to(HERE))
        payloads.append(run.Payload(name, run.parse_header(path.read_text(encoding="utf-8"), name), path))
    return payloads


def require_cell(hotcell):
    """These programs are hostile. Nothing of them is started unless the command under test shows that it runs programs in
    a container with hotcell's agent, as nobody and without any right. There is no option to skip this."""
    program = (
        "import os; status = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines()); "
        "print(os.path.exists('/.hotcell/agent'), os.getuid() > 65536, int(status['CapBnd'], 16), "
        "status['NoNewPrivs'].strip(), status['Seccomp'].strip())"
    )
    status, stdout, stderr, _ = run.execute([*hotcell, *run.RUN, "-c", program], 60)
    if status != 0 or stdout != b"True True 0 1 2\n":
        sys.exit(
            f"refusing: {shlex.join(hotcell)} does not run programs in a Docker cell "
            f"(exit {status}, {stdout[:80]!r}, {stderr[-300:]!r})"
        )


def containers():
    """The ids of all containers of this test's home; None where that cannot be seen."""
    home = pathlib.Path(os.environ["HOTCELL_STATE"], "home")
    if not shutil.which("docker") or not home.exists():
        return None
    done = subprocess.run(["docker", "ps", "-aq", "--no-trunc", "--filter", f"label=hotcell.home={home.read_text().strip()}"],
                          capture_output=True, text=True)
    return set(done.stdout.split()) if done.returncode == 0 else None


class Neighbour:
    """A payload that runs while another one does. Its output passes through, so that it is seen to have begun."""

    def __init__(self, hotcell, payload):
        self.name = payload.name
        self.process = subprocess.Popen(
            [*hotcell, *run.RUN, "--timeout", f"{payload.timeout:g}", *payload.options, str(payload.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        ready = select.select([self.process.stdout], [], [], NEIGHBOUR_STARTS)[0]
        self.there = bool(ready) and self.process.stdout.readline() == b"there\n"

    def end(self):
        """Problems: it must have been there all the time, and end as it would alone."""
        problems = [] if self.there else [f"{self.name} did not start"]
        if self.process.poll() is not None:
            problems.append(f"{self.name} ended too early to have been a neighbour")
        try:
            _, stderr = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, stderr = self.process.communicate()
        if self.process.returncode != 124:
            problems.append(f"{self.name}: exit {self.process.returncode}, {stderr[-200:]!r}")
        return problems


def run_payload(hotcell, payload, payloads):
    neighbour = None
    if payload.beside:
        neighbour = Neighbour(hotcell, next(other for other in payloads if other.name == payload.beside))
    problems = [problem for _ in range(payload.repeat) for problem in run.run_payload(hotcell, payload)]
    if neighbour:
        problems += neighbour.end()
    return problems


def is_there(container):
    """A daemon that writes down that a container ran out of memory while that is removed goes on listing it (moby 20.10):
    what it knows nothing more of is not there."""
    return b"No such container" not in subprocess.run(["docker", "container", "inspect", container], capture_output=True).stderr


def what_is_left(before):
    """Containers of ours that are still there. They are taken down beside what runs, so they get some time."""
    for _ in range(100):
        after = containers()
        if after is None or before is None:
            return []
        left = [container for container in sorted(after - before) if is_there(container)]
        if not left:
            return []
        time.sleep(0.1)
    return [f"left behind: {left}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hotcell", help="the command to test; may hold arguments")
    parser.add_argument("--only", default="*", metavar="GLOB", help="matched against folder/name")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--list", action="store_true", help="show what there is and what is expected of it")
    parser.add_argument("--verbose", action="store_true", help="also name what passed, and how long it took")
    options = parser.parse_args()
    if not options.hotcell and not options.list:
        parser.error("--hotcell is needed")
    hotcell = shlex.split(options.hotcell or "")
    payloads = load()
    chosen = [payload for payload in payloads if fnmatch.fnmatch(payload.name, options.only)]
    if not chosen:
        sys.exit(f"no payload matches {options.only}")
    if options.list:
        for payload in chosen:
            print(f"{payload.name:44} {' | '.join(payload.outcomes)}")
        print(f"{len(chosen)} payloads")
        return 0

    os.environ.update(SECRET)
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

    def one(payload):
        start = time.monotonic()
        problems = run_payload(hotcell, payload, payloads)
        return payload.name, problems + run.run_canary(hotcell), time.monotonic() - start

    # A home of its own: what other tests have on this daemon meanwhile is theirs.
    state = tempfile.TemporaryDirectory(prefix="hotcell-payloads-")
    os.environ["HOTCELL_STATE"] = state.name
    require_cell(hotcell)
    before = containers()
    count("canary before everything", run.run_canary(hotcell), 0)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(one, chosen):
            count(*result)
    if options.only == "*":
        count("canary in a crowd", run.run_crowd(hotcell, payloads, CROWD, 4), 0)
    count("nothing is left", what_is_left(before), 0)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
