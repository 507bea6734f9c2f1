"""Streams: what comes when, slow readers, readers that leave, services that die."""

from __future__ import annotations

import signal
import time
from typing import List

import pytest

import hotcell
from conftest import ENGINES, Daemon, running
from hotcell import events

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
def test_things_are_told_when_they_happen(client: hotcell.Client, engine: str) -> None:
    code = "import time, sys\nfor i in range(4):\n  print('ä', i, flush=True)\n  time.sleep(0.25)\nprint('e', file=sys.stderr)"
    seen: List[events.Event] = []
    times: List[float] = []
    with client.stream(code, engine=engine) as stream:
        for event in stream:
            seen.append(event)
            if isinstance(event, hotcell.Stdout):
                times.append(time.monotonic())
    assert isinstance(seen[0], events.Accepted) and seen[0].id == stream.execution_id
    assert [type(one) for one in seen[1:4]] == [events.Queued, events.Setup, events.Started]
    assert times[-1] - times[0] > 0.5  # and not all at the end
    assert [one.seq for one in seen] == list(range(1, len(seen) + 1))
    assert isinstance(seen[-1], hotcell.End) and seen[-1].result is stream.result
    assert stream.result is not None and stream.result.ok
    assert (stream.result.stdout, stream.result.stderr) == ("ä 0\nä 1\nä 2\nä 3\n", "e\n")
    assert not stream.result.truncated.stdout


def test_failures_and_files_are_events_too(client: hotcell.Client) -> None:
    seen = list(client.stream("open('x', 'w').write('y')\nprint(undefined)"))
    failed = [one for one in seen if isinstance(one, events.Failed)]
    files = [one for one in seen if isinstance(one, events.Files)]
    assert failed[0].failure.name == "NameError" and files[0].files[0].content == b"y"


def test_a_stream_is_over_after_its_end(client: hotcell.Client) -> None:
    stream = client.stream("print(1)")
    assert stream.finish().stdout == "1\n"
    assert list(stream) == []


def test_silence_is_no_end(client: hotcell.Client) -> None:
    seen = list(client.stream("import time; time.sleep(5.5); print(1)"))
    assert any(isinstance(one, events.Keepalive) for one in seen)
    assert isinstance(seen[-1], hotcell.End) and seen[-1].result.stdout == "1\n"


@engines
def test_a_slow_reader_slows_the_program_down_and_misses_nothing(client: hotcell.Client, engine: str) -> None:
    # Eight megabytes: more than all buffers on the way. Who does not read keeps the program from its last line.
    code = (
        "import sys, time\nbegin = time.monotonic()\nfor i in range(2000): sys.stdout.write('x' * 4095 + '\\n')\n"
        "sys.stdout.flush()\nprint(time.monotonic() - begin, file=sys.stderr)"
    )
    size, tail = 0, ""
    limits: hotcell.Limits = {"output_bytes": 10 << 20}
    with client.stream(code, engine=engine, timeout_seconds=30, limits=limits) as stream:
        for event in stream:
            assert not isinstance(event, events.Gap)
            if isinstance(event, hotcell.Stdout):
                if size == 0:
                    time.sleep(1.5)
                size += len(event.data)
            elif isinstance(event, hotcell.Stderr):
                tail += event.text
    assert size == 2000 * 4096
    assert float(tail) > 1.0
    assert stream.result is not None and stream.result.ok
    assert stream.result.stdout_bytes == size
    # The result does not claim to hold what it does not.
    assert stream.result.truncated.stdout and len(stream.result.stdout) == 1 << 20


@engines
def test_leaving_cancels(client: hotcell.Client, daemon: Daemon, engine: str) -> None:
    with client.stream("while True: pass", engine=engine, timeout_seconds=60) as stream:
        for event in stream:
            if isinstance(event, events.Started):
                break
    assert stream.execution_id is not None
    daemon.wait_for(daemon.idle, "the program has been ended", 20)
    result = client.get(stream.execution_id)
    assert isinstance(result, hotcell.Result) and result.status == "cancelled"


def test_a_detached_program_goes_on_and_its_stream_too(client: hotcell.Client) -> None:
    code = "import time\nfor i in range(6):\n  print(i, flush=True)\n  time.sleep(0.2)"
    first = ""
    with client.stream(code, detach=True) as stream:
        for event in stream:
            if isinstance(event, hotcell.Stdout):
                first = event.text
                break
    assert stream.execution_id is not None
    rest = client.events(stream.execution_id, after=stream.seq)
    result = rest.finish()
    assert result.ok
    assert (first + result.stdout).split() == list("012345")
    assert result.truncated.stdout  # the beginning went to the first stream
    assert client.events(stream.execution_id).finish().stdout.split() == list("012345")


def test_a_stream_goes_on_behind_the_event_that_was_taken_last(client: hotcell.Client) -> None:
    code = "import time\nfor i in range(6):\n  print(i, flush=True)\n  time.sleep(0.1)"
    with client.stream(code, detach=True) as stream:
        stream.finish()
    assert stream.execution_id is not None
    with client.events(stream.execution_id) as again:  # all of it comes at once
        first = next(event for event in again if isinstance(event, hotcell.Stdout))
        assert again.seq == first.seq
    rest = client.events(stream.execution_id, after=again.seq).finish()
    assert (first.text + rest.stdout).split() == list("012345")


def test_cancelling_from_within_the_stream(client: hotcell.Client) -> None:
    with client.stream("import time\nprint('a', flush=True)\ntime.sleep(60)") as stream:
        for event in stream:
            if isinstance(event, hotcell.Stdout):
                stream.cancel()
    assert stream.result is not None
    assert (stream.result.status, stream.result.stdout) == ("cancelled", "a\n")


def test_a_refusal_inside_a_stream_is_an_exception() -> None:
    with running("--max-running", "1", "--queue-seconds", "0.5") as daemon:
        with hotcell.Client(daemon.url) as client, client.stream("while True: pass", timeout_seconds=60) as first:
            next(e for e in first if isinstance(e, events.Started))
            with pytest.raises(hotcell.QueueTimeout) as caught:
                list(client.stream("print(1)"))
            assert caught.value.code == "deadline_in_queue"


def test_a_daemon_that_dies_is_a_clear_exception() -> None:
    with running() as daemon, hotcell.Client(daemon.url, retry=hotcell.Retry(attempts=1)) as client:
        stream = client.stream("import time\nprint('a', flush=True)\ntime.sleep(60)")
        for event in stream:
            if isinstance(event, hotcell.Stdout):
                break
        batch = client.batch(["print(1)", "import time; time.sleep(60)"], concurrency=2)
        assert next(batch).check().stdout == "1\n"
        daemon.process.send_signal(signal.SIGKILL)
        with pytest.raises(hotcell.StreamBroken) as caught:
            list(stream)
        assert caught.value.execution_id == stream.execution_id and caught.value.seq == stream.seq
        assert stream.result is None
        with pytest.raises(hotcell.ConnectionLost, match="after 1 of 2"):
            list(batch)
        daemon.process.wait(30)
        with pytest.raises(hotcell.Unreachable) as unreachable:
            client.run("print(1)")
        assert "start hotcelld" in unreachable.value.hint
        daemon.start()
        assert client.run("print(1)").stdout == "1\n"
        with pytest.raises(hotcell.NotFound):  # never a wrong answer: it is not known any more
            client.get(caught.value.execution_id or "")


def test_a_daemon_that_drains_lets_a_stream_end() -> None:
    with running("--drain-seconds", "0.3") as daemon, hotcell.Client(daemon.url) as client:
        stream = client.stream("while True: pass", timeout_seconds=60)
        next(e for e in stream if isinstance(e, events.Started))
        daemon.process.send_signal(signal.SIGTERM)
        assert stream.finish().status == "cancelled"
