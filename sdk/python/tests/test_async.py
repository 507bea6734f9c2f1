"""The asyncio client: the same as the other one, and what is different about tasks."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Awaitable, Callable, List, TypeVar

import pytest

import hotcell
from conftest import ENGINES, Daemon
from hotcell import events

T = TypeVar("T")


def with_client(daemon: Daemon, work: Callable[[hotcell.AsyncClient], Awaitable[T]]) -> T:
    async def main() -> T:
        async with hotcell.AsyncClient(daemon.url) as client:
            return await asyncio.wait_for(work(client), 60)

    return asyncio.run(main())


def test_the_two_clients_are_the_same() -> None:
    for one, other in (
        (hotcell.Client, hotcell.AsyncClient),
        (hotcell.Stream, hotcell.AsyncStream),
        (hotcell.EventStream, hotcell.AsyncEventStream),
    ):
        public = {name for name in vars(one) if not name.startswith("_")}
        assert public == {name for name in vars(other) if not name.startswith("_")}
        for name in public:
            a: Any = getattr(one, name)
            b: Any = getattr(other, name)
            if callable(a):
                assert list(inspect.signature(a).parameters) == list(inspect.signature(b).parameters), name
                assert inspect.getdoc(a) == inspect.getdoc(b), name


@pytest.mark.parametrize("engine", ENGINES)
def test_programs_run_side_by_side(daemon: Daemon, engine: str) -> None:
    async def work(client: hotcell.AsyncClient) -> None:
        runs = [client.run(f"print({i})", engine=engine) for i in range(10)]
        results = await asyncio.gather(*runs)
        assert [one.check().stdout for one in results] == [f"{i}\n" for i in range(10)]

    with_client(daemon, work)


def test_a_stream(daemon: Daemon) -> None:
    async def work(client: hotcell.AsyncClient) -> None:
        seen: List[events.Event] = []
        async with client.stream("print('a')\nprint(undefined)") as stream:
            async for event in stream:
                seen.append(event)
        assert isinstance(seen[0], events.Accepted) and isinstance(seen[-1], hotcell.End)
        assert stream.result is not None and stream.result.stdout == "a\n"
        assert stream.result.error is not None and stream.result.error.name == "NameError"
        assert (await client.events(stream.execution_id or "").finish()).stdout == "a\n"

    with_client(daemon, work)


def test_a_stream_goes_on_behind_the_event_that_was_taken_last(daemon: Daemon) -> None:
    async def work(client: hotcell.AsyncClient) -> None:
        code = "import time\nfor i in range(6):\n  print(i, flush=True)\n  time.sleep(0.1)"
        async with client.stream(code, detach=True) as stream:
            await stream.finish()
        first = ""
        async with client.events(stream.execution_id or "") as again:  # all of it comes at once
            async for event in again:
                if isinstance(event, hotcell.Stdout):
                    first = event.text
                    break
        rest = await client.events(stream.execution_id or "", after=again.seq).finish()
        assert (first + rest.stdout).split() == list("012345")

    with_client(daemon, work)


def test_a_task_that_is_cancelled_cancels_its_program(daemon: Daemon) -> None:
    async def work(client: hotcell.AsyncClient) -> None:
        task = asyncio.ensure_future(client.run("while True: pass", timeout_seconds=60))
        while (await client.status()).running == 0:
            await asyncio.sleep(0.01)
        cancelled_before = (await client.status()).totals["cancelled"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while (await client.status()).totals["cancelled"] == cancelled_before:
            await asyncio.sleep(0.01)

    with_client(daemon, work)


def test_everything_else(daemon: Daemon) -> None:
    async def work(client: hotcell.AsyncClient) -> None:
        result = await client.run("open('f', 'wb').write(b'x' * 100000)")
        assert await client.file(result, "f") == b"x" * 100000
        assert isinstance(await client.get(result.id), hotcell.Result)
        assert not await client.cancel(result.id)
        items = [item async for item in client.batch(["print(0)", "print(1)"])]
        assert [item.check().stdout for item in items] == ["0\n", "1\n"]
        judged = [item async for item in client.inputs("print(input())", [{"stdin": "a", "expected_stdout": "a"}])]
        assert judged[0].matched
        assert (await client.tool("code_execution", code="print(1)")).success
        assert "wasi" in [one.name for one in (await client.capabilities()).engines]
        with pytest.raises(hotcell.InvalidRequest):
            await client.run("x", "cobol")

    with_client(daemon, work)
