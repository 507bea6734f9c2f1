#!/usr/bin/env python3
"""The examples of Python's own documentation: which engine they are sent to, and whether WASI cells show what Docker's do.

    run.py --bin build/release/bin [--only GLOB] [--compare-every N]

A program that is sent to WASI must show there, byte for byte, what it shows in a container. Programs that do not show the
same in two containers (the time, addresses, random numbers) are left out and counted. With --compare-every only each Nth
of those that go to WASI runs in a container, too, and those that different.txt names. Where a difference is meant,
different.txt says why; where a program is sent to Docker, the reason is that of `hotcell deps`.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
import programs  # noqa: E402
from service import Service  # noqa: E402

# Of all programs, those that go to WASI; and of those that could run there, as their output shows.
LEAST_OF_ALL, LEAST_OF_POSSIBLE = 0.85, 0.95


def run(service, code, engine):
    answer = service.execute(code, engine=engine, dependencies={"mode": "none"}, checks="off", timeout_seconds=20,
                             env={"PYTHONHASHSEED": "0"})
    result = answer.json()
    if answer.status != 200:
        return {"engine": {"name": engine}}, (result["code"],)
    return result, (result["status"], result["stdout"], result["exit_code"], (result["error"] or {}).get("name"))


def look(service, code, compare):
    chosen, first = run(service, code, "auto")
    if chosen["engine"]["name"] == "wasi":
        if not compare:
            return "unlooked", ""
        container = run(service, code, "docker")[1]
        if container == first:
            return "same", ""
        if container != run(service, code, "docker")[1]:
            return "unstable", ""
        return "different", f"    wasi:   {first}\n    docker: {container}"
    wasi = run(service, code, "wasi")
    return "possible" if wasi[1] == first else "docker", chosen["engine"]["chosen_because"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("--compare-every", type=int, default=1, metavar="N")
    options = parser.parse_args()
    known = dict(line.split(": ", 1) for line in (HERE / "different.txt").read_text().splitlines() if line[:1] not in "#")
    corpus = {name: text for name, text in programs.collect().items() if fnmatch.fnmatch(name, options.only)}
    service = Service(options.bin.resolve(), config="docker:\n  enabled: true\n")
    try:
        service.execute("print(1)", engine="docker")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            compare = [name in known or number % options.compare_every == 0 for number, name in enumerate(corpus)]
            found = dict(zip(corpus, pool.map(look, [service] * len(corpus), corpus.values(), compare)))
    finally:
        service.stop()
    count = collections.Counter(kind for kind, _ in found.values())
    failed = 0
    for name, (kind, why) in found.items():
        if (kind == "different") != (name in known):
            failed += 1
            print(f"FAIL {name}: {kind if kind == 'different' else 'does not differ any more: ' + known[name]}\n{why}")
        elif kind in ("docker", "possible"):
            print(f"{name}: {kind}: {why}")
    to_wasi = count["same"] + count["different"] + count["unstable"] + count["unlooked"]
    of_all, of_possible = to_wasi / len(corpus), to_wasi / (to_wasi + count["possible"])
    print(f"{len(corpus)} programs, {to_wasi} to WASI: {of_all:.1%} of all, {of_possible:.1%} of those that can run there; "
          f"{count['same']} show the same in a container, {count['unstable']} something else each time, "
          f"{count['different']} differ as listed")
    if options.only == "*" and (of_all < LEAST_OF_ALL or of_possible < LEAST_OF_POSSIBLE):
        failed += 1
    print(f"{len(corpus) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
