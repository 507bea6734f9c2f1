#!/usr/bin/env python3
"""A hotcelld under load while its Docker daemon is frozen, killed, stopped and started again.

    faults_test.py --bin build/release/bin

Every answer is right, or a documented failure in time; WASI runs are not held up; as soon as the daemon is there again,
so are Docker runs; and nothing is left behind. The daemon is one of the test's own: its images come from the one that
DOCKER_HOST names.
"""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from service import Service, root  # noqa: E402

TIMEOUT, DEADLINE = 5, 10
# What Docker runs may be told while the daemon is away.
MAY_SAY = {"engine_unavailable", "worker_lost", "deadline_in_queue", "queue_full"}
IMAGE = "hotcell/runtime:latest"


class Daemon:
    def __init__(self, folder):
        self.env = {**os.environ, "XDG_CACHE_HOME": str(folder)}
        self.home = folder / "hotcell/dockerd/installed"
        self.start()

    def call(self, verb):
        done = subprocess.run([root / "scripts/dockerd", verb], env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self):
        self.host = self.call("start")

    def kill(self, number):
        os.kill(int((self.home / "pid").read_text()), number)

    def containers(self):
        return subprocess.run(["docker", "--host", self.host, "ps", "-aq"], capture_output=True, text=True, check=True,
                              timeout=60).stdout.split()


class Load:
    """Programs with answers that are known, one after the other, until it is told to stop."""

    def __init__(self, service, engine):
        self.service, self.engine, self.over = service, engine, threading.Event()
        self.right, self.failed, self.wrong = [], [], []  # (when it ended, seconds)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        number = 0
        while not self.over.is_set():
            number += 1
            began = time.monotonic()
            answer = self.service.execute(f"print({number} * 3)", engine=self.engine, timeout_seconds=TIMEOUT,
                                          deadline_seconds=DEADLINE)
            ended = time.monotonic()
            result = answer.json()
            said = result.get("code") or (result.get("error") or {}).get("code")
            if result.get("stdout") == f"{number * 3}\n" and result["status"] == "completed":
                self.right.append((ended, ended - began))
            elif said in MAY_SAY and self.engine == "docker":
                self.failed.append((ended, ended - began))
                time.sleep(0.1)  # as a client that is told to come back later
            else:
                self.wrong.append(answer)

    def stop(self):
        self.over.set()
        self.thread.join(60)

    def waits_for_one(self, since, seconds):
        """How long after `since` the first right answer came."""
        while time.monotonic() < since + seconds:
            for ended, _ in self.right:
                if ended > since:
                    return ended - since
            time.sleep(0.05)
        raise AssertionError(f"no {self.engine} run went well within {seconds} s; lately {self.failed[-3:]}")


def docker_is_up(service):
    engines = service.get("/v1/capabilities").json()["engines"]
    return next(engine for engine in engines if engine["name"] == "docker")["ready"]


def wait_for(what, truth, seconds=20):
    until = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def check(bin_dir, daemon):
    os.environ["DOCKER_HOST"] = daemon.host
    service = Service(bin_dir, config="docker:\n  enabled: true\n")
    loads = []
    try:
        wait_for("docker is up", lambda: docker_is_up(service))
        docker, wasi = Load(service, "docker"), Load(service, "wasi")
        loads += [docker, Load(service, "docker"), wasi]
        print(f"ok    first Docker answer after {docker.waits_for_one(time.monotonic(), 20):.1f} s")
        time.sleep(2)

        daemon.kill(signal.SIGSTOP)
        time.sleep(6)
        daemon.kill(signal.SIGCONT)
        print(f"ok    frozen for 6 s; Docker runs again {docker.waits_for_one(time.monotonic(), 20):.1f} s later")

        daemon.kill(signal.SIGKILL)
        wait_for("the service knows that Docker is gone", lambda: not docker_is_up(service))
        assert service.get("/readyz").status == 200, "WASI runs: that is ready"
        time.sleep(2)
        daemon.start()
        print(f"ok    killed and started; Docker runs again {docker.waits_for_one(time.monotonic(), 30):.1f} s later")

        daemon.call("stop")
        wait_for("the service knows that Docker is gone", lambda: not docker_is_up(service))
        daemon.start()
        print(f"ok    stopped and started; Docker runs again {docker.waits_for_one(time.monotonic(), 30):.1f} s later")
        time.sleep(2)
    finally:
        for load in loads:
            load.stop()
        status = service.stop()
    assert status == 0, service.log_text()
    wrong = [answer for load in loads for answer in load.wrong]
    assert not wrong, f"{len(wrong)} answers are neither right nor a documented failure, among them {wrong[:3]}"
    times = sorted(seconds for _, seconds in wasi.right)
    assert times[int(len(times) * 0.99)] < 0.5, f"WASI runs were held up: p99 {times[int(len(times) * 0.99)]:.2f} s"
    slowest = max(seconds for load in loads for _, seconds in load.right + load.failed)
    assert slowest < DEADLINE + 5, f"an answer took {slowest:.1f} s, though {DEADLINE} s were all it had"
    wait_for("no container is left", lambda: not daemon.containers())
    print(f"ok    {len(wasi.right)} WASI runs, all right, p99 {times[int(len(times) * 0.99)] * 1e3:.0f} ms; "
          f"{sum(len(load.right) for load in loads) - len(wasi.right)} Docker runs right, "
          f"{sum(len(load.failed) for load in loads)} told that it is away; slowest answer {slowest:.1f} s; nothing left")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hotcell-faults-") as folder:
        daemon = Daemon(pathlib.Path(folder))
        try:
            with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
                subprocess.run(["docker", "--host", daemon.host, "load", "--quiet"], stdin=saved.stdout, check=True,
                               stdout=subprocess.DEVNULL, timeout=300)
            check(options.bin.resolve(), daemon)
        finally:
            with contextlib.suppress(ProcessLookupError):
                daemon.kill(signal.SIGCONT)
            daemon.call("stop")
    print("5 passed, 0 failed")


if __name__ == "__main__":
    main()
