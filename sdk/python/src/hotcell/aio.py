"""The client for asyncio: client.py, with await where bytes are carried."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Deque, Generic, Optional, Sequence, Type, TypeVar, Union

import httpx

from . import _calls
from ._address import address_of
from ._calls import SILENCE_SECONDS, Answer, Call, Collector, failure_of, translated
from ._readers import EventReader, ItemReader, Reader
from ._retry import Attempts, Retry
from ._version import USER_AGENT
from .errors import ConnectionLost, HotcellError
from .events import Event
from .programs import Input, Options, Program
from .results import Capabilities, Item, Pending, Result, ServiceStatus, ToolResult

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")


class AsyncClient:
    """A connection to hotcelld. May be used from any number of tasks of one event loop. A task that is
    cancelled leaves, and what it has run is cancelled too, unless `detach=True`.

    url: "unix:PATH", "http://HOST:PORT"; without it $HOTCELL_URL, else the socket where hotcelld listens by itself.
    token: for services that need one; without it $HOTCELL_TOKEN.
    wait_seconds: how long an answer may take beyond the program's own time: its turn, packages, the way back.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        token: Optional[str] = None,
        wait_seconds: float = 300.0,
        retry: Retry = Retry(),
    ) -> None:
        self._address = address_of(url)
        self._wait_seconds = wait_seconds
        self._retry = retry
        headers = {"User-Agent": USER_AGENT}
        token = token if token is not None else os.environ.get("HOTCELL_TOKEN")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.AsyncClient(
            base_url=self._address.base,
            headers=headers,
            transport=httpx.AsyncHTTPTransport(uds=self._address.socket) if self._address.socket else None,
            trust_env=not self._address.local,
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=32),
        )

    # --- Running programs

    async def run(
        self,
        code: Optional[str] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        **options: Unpack[Options],
    ) -> Result:
        """Runs a program and waits for what becomes of it. However it ends, that is a Result."""
        return await self._do(_calls.execute(code, language, options, idempotency_key, self._wait_seconds))

    def stream(
        self,
        code: Optional[str] = None,
        language: Optional[str] = None,
        *,
        binary: bool = False,
        idempotency_key: Optional[str] = None,
        **options: Unpack[Options],
    ) -> AsyncEventStream:
        """Runs a program and tells what happens when it happens. Reading slowly slows the program down; closing the
        stream before its end cancels the program, unless `detach=True`. `binary`: output as it is, not as text."""
        call = _calls.stream(code, language, options, idempotency_key, self._wait_seconds, binary)
        return AsyncEventStream(self, call, EventReader())

    def batch(
        self, programs: Sequence[Union[str, Program]], concurrency: Optional[int] = None
    ) -> AsyncStream[Item]:
        """Runs many programs, and gives their answers in their order, each as soon as it and all before it are there."""
        call = _calls.batch(programs, concurrency, self._wait_seconds)
        return AsyncStream(self, call, ItemReader(len(programs)))

    def inputs(
        self, code: str, given: Sequence[Input], language: Optional[str] = None, **options: Unpack[Options]
    ) -> AsyncStream[Item]:
        """Runs one program once for each input, in their order. `Item.matched`: its output was `expected_stdout`."""
        call = _calls.inputs(code, given, language, options, self._wait_seconds)
        return AsyncStream(self, call, ItemReader(len(given)))

    async def tool(self, name: str, *, idempotency_key: Optional[str] = None, **parameters: Any) -> ToolResult:
        """A tool call as agents make them: code_execution, python_executor, code_executor, python_wasi_runner."""
        return await self._do(_calls.tool(name, parameters, idempotency_key, self._wait_seconds))

    # --- Afterwards

    async def get(self, execution_id: str) -> Union[Result, Pending]:
        return await self._do(_calls.get(execution_id))

    def events(self, execution_id: str, after: int = 0) -> AsyncEventStream:
        """The stream of an execution again, from behind the event `after`; also while it runs."""
        return AsyncEventStream(self, _calls.events(execution_id, after), EventReader(execution_id, after))

    async def cancel(self, execution_id: str) -> bool:
        """False: it had ended already."""
        return await self._do(_calls.cancel(execution_id))

    async def file(self, execution: Union[str, Result], path: str) -> bytes:
        """The content of a file that a program left: out of its result, else from the service."""
        content = _calls.own_file(execution, path)
        if content is not None:
            return content
        return await self._do(_calls.file(execution if isinstance(execution, str) else execution.id, path))

    # --- The service

    async def capabilities(self) -> Capabilities:
        return await self._do(_calls.capabilities())

    async def status(self) -> ServiceStatus:
        return await self._do(_calls.status())

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    # --- Carrying bytes

    async def _do(self, call: Call[T]) -> T:
        attempts = Attempts(self._retry, call.repeatable)
        while True:
            try:
                return call.read(await self._exchange(call, attempts.lost))
            except HotcellError as error:
                wait = attempts.wait_after(error)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def _exchange(self, call: Call[T], after_loss: bool) -> Answer:
        collector = Collector(call.patience)
        with translated(self._address):
            async with self._http.stream(
                call.method,
                call.path,
                content=call.body,
                headers=call.all_headers(),
                timeout=call.timeout(call.patience),
            ) as response:
                async for chunk in response.aiter_bytes():
                    collector.add(chunk)
        if not response.is_success:
            raise failure_of(response.status_code, response.headers, collector.body())
        return Answer(response.status_code, response.headers, collector.body(), after_loss)

    async def _open(self, call: Call[None]) -> httpx.Response:
        """The head of a streamed answer."""
        attempts = Attempts(self._retry, call.repeatable)
        while True:
            try:
                return await self._open_once(call)
            except HotcellError as error:
                wait = attempts.wait_after(error)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def _open_once(self, call: Call[None]) -> httpx.Response:
        with translated(self._address):
            request = self._http.build_request(
                call.method,
                call.path,
                content=call.body,
                headers=call.all_headers(),
                timeout=call.timeout(SILENCE_SECONDS),
            )
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            collector = Collector(SILENCE_SECONDS)
            try:
                async for chunk in response.aiter_bytes():
                    collector.add(chunk)
            finally:
                await response.aclose()
        raise failure_of(response.status_code, response.headers, collector.body())


class AsyncStream(Generic[T], AsyncIterator[T]):
    """A streamed answer, opened when it is first read. Close it, or use it in a `with`, unless you read to its end."""

    def __init__(self, client: AsyncClient, call: Call[None], reader: Reader[T]) -> None:
        self._client = client
        self._call = call
        self._reader = reader
        self._ready: Deque[T] = deque()
        self._response: Optional[httpx.Response] = None
        self._chunks: Optional[AsyncIterator[bytes]] = None
        self._closed = False
        self._error: Optional[HotcellError] = None  # to be raised behind what came before it

    async def __anext__(self) -> T:
        while not self._ready:
            if self._error is not None:
                await self.close()
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            try:
                await self._read_more()
            except BaseException:
                await self.close()
                raise
        return self._ready.popleft()

    async def _read_more(self) -> None:
        if self._response is None:
            self._response = await self._client._open(self._call)
            self._chunks = self._response.aiter_bytes()
        try:
            with translated(self._client._address):
                chunk = await self._next_chunk()
        except HotcellError as error:
            if self._reader.complete:
                return await self.close()
            if isinstance(error, ConnectionLost):
                raise self._reader.broken(error.message) from error
            raise
        if chunk is not None:
            try:
                return self._ready.extend(self._reader.feed(chunk))
            except HotcellError as error:
                self._error = error
                return None
        await self.close()
        if not self._reader.complete:
            raise self._reader.broken("the service ended it")

    async def _next_chunk(self) -> Optional[bytes]:
        assert self._chunks is not None
        async for chunk in self._chunks:
            return chunk
        return None

    async def close(self) -> None:
        self._closed = True
        if self._response is not None:
            await self._response.aclose()

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()


S = TypeVar("S", bound="AsyncStream[Any]")


class AsyncEventStream(AsyncStream[Event]):
    """What happens to one program."""

    _reader: EventReader

    async def __anext__(self) -> Event:
        event = await super().__anext__()
        self._reader.seq = event.seq
        return event

    @property
    def execution_id(self) -> Optional[str]:
        """Known from the first event on."""
        return self._reader.execution_id

    @property
    def seq(self) -> int:
        """Of the last event that was taken from the stream: `Client.events(execution_id, after=seq)` goes on there."""
        return self._reader.seq

    @property
    def result(self) -> Optional[Result]:
        """Known after the End."""
        return self._reader.result

    async def finish(self) -> Result:
        """Reads to the end."""
        async for _ in self:
            pass
        if self._reader.result is None:
            raise self._reader.broken("it was closed")
        return self._reader.result

    async def cancel(self) -> None:
        """Ends the program; the stream goes on to its End, which says `cancelled`."""
        if self._reader.execution_id is None:
            await self.close()  # it has not begun for us: leaving is enough
        else:
            await self._client.cancel(self._reader.execution_id)
