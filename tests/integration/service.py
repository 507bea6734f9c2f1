"""A hotcelld of one's own, and a client that sends exactly what it is told."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from openapi import Description

root = pathlib.Path(__file__).resolve().parent.parent.parent
description = Description(root / "docs" / "openapi.json")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Connection:
    """One connection, bytes in and out."""

    def __init__(self, address, timeout=30):
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""

    def send(self, data):
        """What the server does not want to read any more is no error: its answer is what counts."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def take(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise EOFError("the connection ended inside an answer")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        while b"\r\n" not in self.buffer:
            if not self.more():
                raise EOFError("the connection ended inside an answer")
        data, self.buffer = self.buffer.split(b"\r\n", 1)
        return data

    def head(self):
        status = int(self.line().split()[1])
        headers = {}
        while line := self.line():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return self.head() if status == 100 else (status, headers)

    def chunks(self):
        while size := int(self.line(), 16):
            yield self.take(size)
            self.line()
        self.line()

    def receive(self, method="GET"):
        status, headers = self.head()
        if method == "HEAD" or status == 204:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(self.chunks())
        else:
            body = self.take(int(headers["content-length"]))
        return Answer(status, headers, body)

    def ended(self):
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        return True

    def reset(self):
        """Not a close but a RST: what a client that is killed with unread data sends."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()

    def close(self):
        self.socket.close()


def request_bytes(method, path, body=b"", headers=()):
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body or method == "POST":
        head += f"Content-Length: {len(body)}\r\n"
        if not any(name.lower() == "content-type" for name, _ in headers):
            head += "Content-Type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + b"\r\n" + body


class Service:
    def __init__(self, bin_dir, *flags, config="docker:\n  enabled: false\n", tokens=None, wait=True, env=None,
                 wrap=lambda command: command):
        self.folder = tempfile.TemporaryDirectory(prefix="hotcell-http-")
        self.path = pathlib.Path(self.folder.name)
        self.socket = str(self.path / "s.sock")
        (self.path / "config.yaml").write_text(config)
        if tokens is not None:
            (self.path / "tokens.json").write_text(json.dumps({"tokens": tokens}))
            (self.path / "tokens.json").chmod(0o600)
        self.env = env or {}
        self.command = [str(bin_dir / "hotcelld"), "--listen", "unix:" + self.socket, "--listen", "127.0.0.1:0",
                        "--state-dir", self.folder.name, *flags]
        self.command = wrap(self.command)  # for tests that start it in another way
        self.start(wait)

    def start(self, wait=True):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HOTCELL_CONFIG", "WASI_"))}
        env |= {"HOTCELL_CONFIG": str(self.path / "config.yaml"), "HOTCELL_STATE_DIR": self.folder.name} | self.env
        self.log = open(self.path / "log", "wb")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=self.log, env=env, close_fds=False)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log_text()
            try:
                if self.get("/readyz", check=False).status == 200:
                    return
            except (FileNotFoundError, ConnectionError, EOFError):
                pass
            time.sleep(0.01)
        raise AssertionError("not ready: " + self.log_text())

    def log_text(self):
        return (self.path / "log").read_text()

    def wait_for_log(self, text, after=0):
        """What the log says from there on, once it says `text`. An answer comes before its own line in the log."""
        until = time.monotonic() + 10
        while text not in self.log_text()[after:]:
            assert time.monotonic() < until, self.log_text()[after:]
            time.sleep(0.005)
        return self.log_text()[after:]

    def tcp(self):
        for line in self.log_text().splitlines():
            address = json.loads(line).get("address", "")
            if address.startswith("127.0.0.1:"):
                return ("127.0.0.1", int(address.split(":")[1]))
        raise AssertionError("it does not listen at a port")

    def connect(self, tcp=False):
        return Connection(self.tcp() if tcp else self.socket)

    def send(self, method, path, body=b"", headers=(), tcp=False, check=True):
        connection = self.connect(tcp)
        try:
            connection.send(request_bytes(method, path, body, headers))
            answer = connection.receive(method)
        finally:
            connection.close()
        if check and method != "HEAD":
            description.check(method, path, answer.status, answer.headers["content-type"], answer.body)
        return answer

    def get(self, path, headers=(), **more):
        return self.send("GET", path, b"", headers, **more)

    def post(self, path, value, headers=(), **more):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.send("POST", path, body, headers, **more)

    def execute(self, code, headers=(), tcp=False, **fields):
        return self.post("/v1/execute", {"code": code, **fields}, headers, tcp=tcp)

    def metric(self, name):
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def workers(self):
        """Processes below the daemon."""
        out, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    children = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
                    out += map(int, children)
                    todo += map(int, children)
            except FileNotFoundError:
                pass
        return out

    def stop(self, number=signal.SIGTERM, seconds=30):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(seconds)
        self.log.close()
        return status


def run_cases(arguments, more=lambda result: ""):
    """Runs the test cases of the program that was started, says how it went, and ends it."""
    result = unittest.main(argv=[sys.argv[0], *arguments], exit=False, warnings="ignore").result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed{more(result)}")
    sys.exit(1 if bad or not result.testsRun else 0)
