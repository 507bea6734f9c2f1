"""What is sent again. A service that fails in a chosen way cannot be had from a real one, so this is a small server that
answers as it is told, over a real socket."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from typing import Any, Dict, Iterator, List, Tuple

import httpx
import pytest

import hotcell
from hotcell._address import address_of
from hotcell._readers import EventReader, ItemReader, Lines
from hotcell._retry import Attempts
from conftest import Daemon

Script = List[Tuple[int, Dict[str, str], Any]]


class Scripted(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: Script = []
        self.seen: List[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Scripted

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append(self.path)
        status, headers, body = self.server.script.pop(0)
        if status == 0:  # break the connection
            self.close_connection = True
            return
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) + (10 if "X-Cut" in headers else 0)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    do_GET = do_POST = answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Scripted]:
    one = Scripted()
    thread = threading.Thread(target=one.serve_forever)
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def problem(code: str, status: int) -> Dict[str, Any]:
    return {"type": "x", "title": "x", "status": status, "detail": f"{code} it is", "code": code, "retryable": True}


@pytest.fixture
def result(daemon: Daemon) -> Dict[str, Any]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(daemon.socket))) as client:
        value: Dict[str, Any] = client.post("http://x/v1/execute", json={"code": "print(1)"}).json()
        return value


quick = hotcell.Retry(attempts=4, seconds=5, first_wait=0.01)


def test_what_was_turned_away_is_sent_again_when_it_may(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [
        (503, {"Retry-After": "1"}, problem("at_capacity", 503)),
        (429, {}, problem("tenant_limit", 429)),
        (200, {}, result),
    ]
    begun = time.monotonic()
    with hotcell.Client(server.url, retry=quick) as client:
        assert client.run("print(1)").stdout == "1\n"
    assert time.monotonic() - begun >= 1 and len(server.seen) == 3


def test_waiting_is_bounded(server: Scripted) -> None:
    server.script = [(503, {"Retry-After": "60"}, problem("at_capacity", 503))] * 9
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.Busy) as caught:
            client.run("print(1)")
    assert caught.value.retry_after == 60 and len(server.seen) == 1
    server.script = [(503, {"Retry-After": "0"}, problem("draining", 503))] * 9
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.Busy):
            client.run("print(1)")
    assert len(server.seen) == 1 + 4


def test_what_may_have_run_is_not_sent_again_without_a_key(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [(0, {}, None), (200, {}, result)]
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.ConnectionLost, match="not known"):
            client.run("print(1)")
    assert len(server.seen) == 1


def test_with_a_key_it_is(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [(0, {}, None), (409, {"Retry-After": "0"}, problem("idempotency_in_progress", 409)), (200, {}, result)]
    with hotcell.Client(server.url, retry=quick) as client:
        assert client.run("print(1)", idempotency_key="k").stdout == "1\n"
    assert len(server.seen) == 3
    # Somebody else's request with this key is not ours to wait for.
    server.script = [(409, {}, problem("idempotency_in_progress", 409))]
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.Conflict):
            client.run("print(1)", idempotency_key="k")


def test_a_run_that_our_own_loss_has_cancelled_is_no_result(server: Scripted, result: Dict[str, Any]) -> None:
    cancelled = {**result, "status": "cancelled"}
    replayed = {"Idempotency-Replayed": "true"}
    server.script = [(0, {}, None)] + [(200, replayed, cancelled)] * 3
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.ConnectionLost, match="cancelled"):
            client.run("print(1)", idempotency_key="k")


def test_questions_are_asked_again(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [(0, {}, None), (200, {}, result)]
    with hotcell.Client(server.url, retry=quick) as client:
        got = client.get("exe_1")
    assert isinstance(got, hotcell.Result) and got.stdout == "1\n"


def test_answers_that_are_none(server: Scripted, result: Dict[str, Any]) -> None:
    short = {name: value for name, value in result.items() if name != "stdout"}
    for status, body in ((200, b"<html>"), (200, b"[]"), (502, b"<html>bad gateway"), (200, short), (200, {**result, "exit_code": "0"})):
        server.script = [(status, {}, body)]
        with hotcell.Client(server.url, retry=quick) as client:
            with pytest.raises(hotcell.BadAnswer):
                client.run("print(1)")


def test_an_answer_that_is_cut_is_no_answer(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [(200, {"X-Cut": "yes"}, result)]
    with hotcell.Client(server.url, retry=quick) as client:
        with pytest.raises(hotcell.ConnectionLost):
            client.run("print(1)")


def test_unknown_members_and_words_are_no_harm(server: Scripted, result: Dict[str, Any]) -> None:
    server.script = [(200, {}, {**result, "new": 1, "status": "melted", "engine": {**result["engine"], "more": []}})]
    with hotcell.Client(server.url) as client:
        got = client.run("print(1)")
    assert str(got.status) == "melted" and not got.ok


def test_silence_ends() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        begun = time.monotonic()
        with hotcell.Client(url, wait_seconds=0.5) as client:
            with pytest.raises(hotcell.ClientTimeout):
                client.run("print(1)", timeout_seconds=0.5)
        assert 0.9 < time.monotonic() - begun < 10


def test_nothing_listens_and_trying_again_is_safe() -> None:
    attempts = Attempts(quick, repeatable=False)
    waits = [attempts.wait_after(hotcell.Unreachable("x")) for _ in range(4)]
    assert all(wait is not None and wait < 1 for wait in waits[:3]) and waits[3] is None


def test_lines_come_in_any_pieces() -> None:
    data = '{"a":"ä"}\n\n{"b":2}\n'.encode()
    for size in range(1, len(data) + 1):
        lines = Lines()
        found = [value for i in range(0, len(data), size) for value in lines.feed(data[i : i + size])]
        assert found == [{"a": "ä"}, {"b": 2}]


def test_a_batch_with_a_hole_is_no_batch() -> None:
    reader = ItemReader(3)
    with pytest.raises(hotcell.BadAnswer, match="item 0"):
        list(reader.feed(b'{"index":1,"problem":{"code":"x","status":500}}\n'))


def test_events_that_we_do_not_know_are_passed_over() -> None:
    reader = EventReader()
    assert list(reader.feed(b'{"seq":1,"type":"weather","t":0}\n')) == []
    assert not reader.complete


def test_addresses() -> None:
    assert address_of("unix:/a/b").socket == "/a/b"
    assert address_of("unix:///a/b").socket == "/a/b"
    assert address_of("http://127.0.0.1:1/").base == "http://127.0.0.1:1"
    assert address_of("http://[::1]:1").local and not address_of("https://cells.example").local
    assert address_of(None, {"HOTCELL_URL": "unix:/x"}).socket == "/x"
    assert address_of(None, {"HOTCELL_STATE_DIR": "/s", "XDG_RUNTIME_DIR": "/r"}).socket == "/s/hotcell.sock"
    assert address_of(None, {"XDG_RUNTIME_DIR": "/r"}).socket == "/r/hotcell.sock"
    for bad in ("unix:relative", "ftp://x", "127.0.0.1:4682", "http://"):
        with pytest.raises(ValueError):
            address_of(bad)
