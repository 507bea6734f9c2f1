"""Programs, their inputs and what becomes of them, on every engine that is there."""

from __future__ import annotations

import hashlib
import pathlib
import threading
from typing import Any, Dict, List, Tuple

import pytest

import hotcell
from conftest import ENGINES, Daemon, running

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
def test_a_program_runs(client: hotcell.Client, engine: str) -> None:
    result = client.run("print(2 + 2)", engine=engine)
    assert (result.status, result.exit_code, result.stdout, result.stderr) == ("completed", 0, "4\n", "")
    assert result.ok and result.error is None and result.check() is result
    assert result.engine.name == engine
    assert result.id.startswith("exe_")
    assert result.usage.wall_seconds > 0
    assert result.finished_at >= result.created_at and result.created_at.tzinfo is not None


@engines
def test_what_it_is_given_arrives(client: hotcell.Client, engine: str) -> None:
    code = "import sys, os\nprint(sys.argv[1:], os.environ['A'], sys.stdin.buffer.read())"
    result = client.run(code, stdin=b"\x00\xff", args=["x", "ä"], env={"A": "b"}, engine=engine, metadata={"k": "v"})
    assert result.stdout == "['x', 'ä'] b b'\\x00\\xff'\n"
    assert result.metadata == {"k": "v"}


@engines
def test_files_in_and_out(client: hotcell.Client, engine: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "local.bin").write_bytes(bytes(range(256)))
    result = client.run(
        "data = open('a/b.bin', 'rb').read() + open('t.txt').read().encode()\n"
        "open('small ä.bin', 'wb').write(data)\nopen('large', 'wb').write(data * 1000)",
        files={"a/b.bin": tmp_path / "local.bin", "t.txt": "tëxt", "raw": b"\x00"},
        engine=engine,
    )
    data = bytes(range(256)) + "tëxt".encode()
    small, large = result.file("small ä.bin"), result.file("large")
    assert small is not None and large is not None
    assert (small.change, small.content, small.size_bytes) == ("created", data, len(data))
    assert large.content is None and large.sha256 == hashlib.sha256(data * 1000).hexdigest()
    assert client.file(result, "small ä.bin") == data
    assert client.file(result.id, "small ä.bin") == data
    assert client.file(result, "large") == data * 1000
    with pytest.raises(hotcell.NotFound) as caught:
        client.file(result, "nothing")
    assert caught.value.code == "file_not_found"


@engines
@pytest.mark.parametrize(
    "code, status, error",
    [
        ("raise SystemExit(3)", "failed", None),
        ("x = undefined_variable", "failed", "exception"),
        ("while True: pass", "timeout", "timeout"),
        ("x = []\nwhile True: x.append(bytes(1 << 20))", "limit_exceeded", "memory_limit"),
    ],
)
def test_every_fate_is_a_result(client: hotcell.Client, engine: str, code: str, status: str, error: str) -> None:
    timeout = 3 if status == "timeout" else 30
    result = client.run(code, engine=engine, timeout_seconds=timeout, limits={"memory_bytes": 64 << 20})
    assert result.status == status and not result.ok
    assert (result.error.code if result.error else None) == error
    with pytest.raises(hotcell.ProgramFailed) as caught:
        result.check()
    assert caught.value.result is result and str(caught.value)


def test_other_languages(client: hotcell.Client) -> None:
    languages = {one.name for one in client.capabilities().languages}
    programs = {"python": "print('hi')", "javascript": "console.log('hi')", "bash": "echo hi"}
    if "docker" not in ENGINES:
        refused = client.run(programs["bash"], "bash")
        assert refused.status == "rejected" and refused.error is not None
        assert refused.error.code == "engine_unavailable" and refused.error.message
    for language in languages & set(programs):
        if language == "python" or "docker" in ENGINES:
            assert client.run(programs[language], language).check().stdout == "hi\n"


def test_a_module_runs(client: hotcell.Client) -> None:
    result = client.run(wasm=b"\0asm\x01\0\0\0")  # it has no _start
    assert result.status in ("failed", "rejected") and result.error is not None


def test_a_batch_answers_in_order(client: hotcell.Client) -> None:
    programs: List[Any] = [f"import time; time.sleep({(9 - i % 10) / 100}); print({i})" for i in range(60)]
    programs += [{"code": "print(input())", "stdin": "x"}, {"code": "1/0"}, {"cod": "print(1)"}]
    items = list(client.batch(programs, concurrency=8))
    assert [item.index for item in items] == list(range(63))
    assert [item.check().stdout for item in items[:60]] == [f"{i}\n" for i in range(60)]
    assert items[60].check().stdout == "x\n"
    assert items[61].check().status == "failed"
    error = items[62].error
    assert isinstance(error, hotcell.InvalidRequest) and "code" in str(error)
    with pytest.raises(hotcell.InvalidRequest):
        items[62].check()


def test_inputs_are_judged(client: hotcell.Client) -> None:
    given: List[hotcell.Input] = [{"stdin": str(i), "expected_stdout": str(i * i)} for i in range(5)]
    given += [{"stdin": "3", "expected_stdout": "10"}, {"stdin": "7"}]
    items = list(client.inputs("n = int(input())\nprint(n * n)", given))
    assert [item.matched for item in items] == [True] * 5 + [False, None]
    assert items[6].check().stdout == "49\n"
    with pytest.raises(ValueError):
        client.inputs("print(1)", [])


def test_tools(client: hotcell.Client) -> None:
    good = client.tool("code_execution", code="print(1)")
    assert (good.tool, good.success, good.output, good.error) == ("code_execution", True, "1\n", "")
    late = client.tool("python_executor", code="while True: pass", timeout_seconds=1)
    assert not late.success and late.result.status == "timeout"


def test_an_execution_can_be_looked_at_and_cancelled(client: hotcell.Client, daemon: Daemon) -> None:
    with client.stream("import time; time.sleep(60)", detach=True) as stream:
        next(stream)
        assert stream.execution_id is not None
        pending = client.get(stream.execution_id)
        assert isinstance(pending, hotcell.Pending)
        assert client.cancel(stream.execution_id)
        assert stream.finish().status == "cancelled"
    result = client.get(stream.execution_id)
    assert isinstance(result, hotcell.Result) and result.status == "cancelled"
    assert not client.cancel(stream.execution_id)


def test_a_key_runs_a_program_once(client: hotcell.Client) -> None:
    code = "import random; print(random.random())"
    first = client.run(code, idempotency_key="sdk-1")
    assert client.run(code, idempotency_key="sdk-1") == first
    with pytest.raises(hotcell.InvalidRequest) as caught:
        client.run("print(2)", idempotency_key="sdk-1")
    assert caught.value.code == "idempotency_mismatch"


def test_wrong_requests_name_what_was_meant(client: hotcell.Client) -> None:
    with pytest.raises(hotcell.InvalidRequest) as caught:
        client.run("print(1)", **{"timeout": 3})  # type: ignore[arg-type]
    error = caught.value
    assert (error.status, error.code) == (422, "invalid_field")
    assert "timeout_seconds" in str(error) and error.request_id
    assert error.errors[0][0] == "/timeout"
    cases: Dict[str, Tuple[str, Dict[str, Any]]] = {
        "unknown_language": ("x", {"language": "cobol"}),
        "limit_above_maximum": ("x", {"limits": {"memory_bytes": 1 << 50}}),
        "path_outside_workspace": ("x", {"files": {"../x": "y"}}),
        "unsupported_by_engine": ("x", {"session_id": "s"}),
    }
    for code, (program, fields) in cases.items():
        with pytest.raises(hotcell.InvalidRequest) as refused:
            client.run(program, **fields)
        assert refused.value.code == code, refused.value
    with pytest.raises(hotcell.NotFound):
        client.get("exe_" + "0" * 32)


def test_many_threads_share_a_client(client: hotcell.Client) -> None:
    wrong: List[str] = []

    def work(number: int) -> None:
        for i in range(10):
            out = client.run(f"print({number}, {i})").stdout
            if out != f"{number} {i}\n":
                wrong.append(out)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def test_tokens() -> None:
    with running(token="secret") as daemon:
        with hotcell.Client(daemon.tcp_url(), token="secret") as client:
            assert client.run("print(1)").stdout == "1\n"
        with hotcell.Client(daemon.tcp_url(), token="wrong") as client:
            with pytest.raises(hotcell.Unauthenticated) as caught:
                client.run("print(1)")
            assert caught.value.code == "unauthenticated" and caught.value.hint


def test_what_the_service_says_about_itself(client: hotcell.Client) -> None:
    capabilities = client.capabilities()
    assert [one.name for one in capabilities.engines][: len(ENGINES)] == ENGINES
    assert "python" in [one.name for one in capabilities.languages]
    client.run("1/0")
    status = client.status()
    assert status.phase == "serving" and len(status.runs_per_second) == 60
    assert status.failures[0]["code"] == "exception"


def test_the_default_client_goes_where_the_environment_says(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTCELL_URL", daemon.url)
    monkeypatch.setattr(hotcell, "_shared", None)
    assert hotcell.run("print(1)").stdout == "1\n"
    assert hotcell.stream("print(2)").finish().stdout == "2\n"


def test_binary_output(client: hotcell.Client) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)))"
    events = list(client.stream(code, binary=True))
    assert b"".join(e.data for e in events if isinstance(e, hotcell.Stdout)) == bytes(range(256))
    result = client.run(code)
    assert result.lossy.stdout and result.stdout_bytes == 256
