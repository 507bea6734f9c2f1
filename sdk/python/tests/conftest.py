"""A real hotcelld for the tests: HOTCELL_BIN names the folder of its binaries. With DOCKER_HOST it has both engines."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
from typing import Any, Callable, Iterator, List, Optional

import pytest

import hotcell

BIN = pathlib.Path(os.environ.get("HOTCELL_BIN") or pathlib.Path(__file__).parents[3] / "build" / "release" / "bin")
HAS_DOCKER = bool(os.environ.get("DOCKER_HOST"))
ENGINES = ["wasi", "docker"] if HAS_DOCKER else ["wasi"]


class Daemon:
    def __init__(self, *flags: str, docker: bool = False, token: Optional[str] = None) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hotcell-sdk-")
        self.path = pathlib.Path(self.folder.name)
        self.socket = self.path / "s.sock"
        self.url = f"unix:{self.socket}"
        docker_settings = "enabled: true\n  pool_min: 1\n  pool_max: 2" if docker else "enabled: false"
        (self.path / "config.yaml").write_text(f"docker:\n  {docker_settings}\n")
        if token is not None:
            tokens = [{"name": "tests", "sha256": hashlib.sha256(token.encode()).hexdigest()}]
            (self.path / "tokens.json").write_text(json.dumps({"tokens": tokens}))
            (self.path / "tokens.json").chmod(0o600)
        self.command = [str(BIN / "hotcelld"), "--listen", self.url, "--listen", "127.0.0.1:0"]
        self.command += ["--state-dir", self.folder.name, *flags]
        self.start()

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTCELL_")}
        environment.update(HOTCELL_CONFIG=str(self.path / "config.yaml"), HOTCELL_STATE_DIR=self.folder.name)
        self.log = open(self.path / "log", "ab")
        begin = self.log.tell()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=self.log, env=environment)
        self.wait_for(lambda: b'"ready"' in (self.path / "log").read_bytes()[begin:], "it is ready")

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, (self.path / "log").read_text()
            assert time.monotonic() < until, f"not in time: {what}\n{(self.path / 'log').read_text()}"
            time.sleep(0.01)

    def tcp_url(self) -> str:
        for line in (self.path / "log").read_text().splitlines():
            address = json.loads(line).get("address", "")
            if address.startswith("127.0.0.1:"):
                return f"http://{address}"
        raise AssertionError("it does not listen at a port")

    def idle(self) -> bool:
        with hotcell.Client(self.url) as client:
            status = client.status()
            return status.running == 0 and status.waiting == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(60)
        self.log.close()


@contextlib.contextmanager
def running(*flags: str, **more: Any) -> Iterator[Daemon]:
    daemon = Daemon(*flags, **more)
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.folder.cleanup()


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    with running(docker=HAS_DOCKER) as one:
        yield one


@pytest.fixture
def client(daemon: Daemon) -> Iterator[hotcell.Client]:
    with hotcell.Client(daemon.url) as one:
        yield one


def pytest_report_header() -> List[str]:
    return [f"hotcelld: {BIN}", f"engines: {', '.join(ENGINES)}"]
