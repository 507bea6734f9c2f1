#!/usr/bin/env python3
"""What the service answers, byte for byte but for what differs from run to run: each file in http/ is one exchange.

    http.py --bin build/release/bin [--update] [NAME...]

A file has the request (a line, headers, an empty line, the body) above a line of dashes, and the answer below it.
--update writes the answers anew; look at the difference before it is committed.
"""
import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
from service import Service  # noqa: E402

LINE = "-" * 8 + "\n"
SHOWN = ("content-type", "allow", "retry-after", "www-authenticate", "deprecation", "location")
# What no two runs have in common.
VARIES = {"id", "request_id", "created_at", "finished_at", "t", "version", "image", "start", "memory_peak_bytes",
          "queue_seconds", "setup_seconds", "install_seconds", "wall_seconds", "cpu_seconds", "execution_time",
          "uptime_seconds", "executor_pod_name", "url"}


def steady(value):
    if isinstance(value, dict):
        return {key: "…" if key in VARIES and isinstance(one, str | float | int) else steady(one) for key, one in value.items()}
    return [steady(one) for one in value] if isinstance(value, list) else value


def shown(text):
    try:
        return json.dumps(steady(json.loads(text)), indent=1, ensure_ascii=False)
    except ValueError:
        return text


def ask(service, request):
    head, _, body = request.partition("\n\n")
    first, *headers = head.splitlines()
    method, path = first.split()
    answer = service.send(method, path, body.rstrip("\n").encode(),
                          [tuple(line.split(": ", 1)) for line in headers])
    lines = [f"{answer.status}", *(f"{name}: {answer.headers[name]}" for name in SHOWN if name in answer.headers), ""]
    text = answer.body.decode()
    if "ndjson" in answer.headers.get("content-type", ""):
        lines += [shown(line) for line in text.splitlines()]
    else:
        lines.append(shown(text))
    return "\n".join(lines).rstrip("\n") + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    files = [file for file in sorted((HERE / "http").glob("*.txt")) if not options.names or file.stem in options.names]
    failed = 0
    service = Service(options.bin.resolve(), "--sandboxfusion")
    try:
        for file in files:
            request, _, wanted = file.read_text().partition(LINE)
            got = ask(service, request)
            if options.update:
                file.write_text(request + LINE + got)
            elif got != wanted:
                failed += 1
                print(f"FAIL {file.stem}\n--- wanted\n{wanted}--- got\n{got}")
    finally:
        service.stop()
    print(f"{len(files) - failed} passed, {failed} failed")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
