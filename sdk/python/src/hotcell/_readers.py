"""Bytes of a streamed answer into what they mean. Nothing here knows where they come from."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Generic, Iterator, List, Optional, TypeVar

from .errors import BadAnswer, ConnectionLost, StreamBroken, problem_from
from .events import Accepted, End, Event, Gap, Stderr, Stdout, event_from
from .results import BothStreams, Item, Result

T = TypeVar("T")

MOST_BYTES = 256 << 20  # of one answer, or one line of a stream
MOST_KEPT = 1 << 20  # of each output stream, for the result at the end


class Lines:
    """Cuts what comes into lines."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Any]:
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            self._parts.append(end)
            line = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            if line:
                yield self._value(line)
        self._parts.append(rest)
        self._size += len(rest)
        if self._size > MOST_BYTES:
            raise BadAnswer("a line of the answer is too large")

    @staticmethod
    def _value(line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise BadAnswer("a line of the answer is not JSON") from None


class Reader(Generic[T]):
    """Of one streamed answer."""

    def __init__(self) -> None:
        self._lines = Lines()
        self.complete = False

    def feed(self, chunk: bytes) -> Iterator[T]:
        for value in self._lines.feed(chunk):
            found = self.read(value)
            if found is not None:
                yield found

    def read(self, value: Any) -> Optional[T]:
        raise NotImplementedError

    def broken(self, why: str) -> ConnectionLost:
        """What to raise when the bytes end before the stream is complete."""
        raise NotImplementedError


class _Kept:
    """The beginning of an output stream."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.whole = True

    def add(self, data: bytes) -> None:
        room = MOST_KEPT - len(self.data)
        self.data += data[:room]
        if len(data) > room:
            self.whole = False


class EventReader(Reader[Event]):
    def __init__(self, execution_id: Optional[str] = None, after: int = 0) -> None:
        super().__init__()
        self.execution_id = execution_id
        self.seq = after  # of the last event that was passed on: others may have been read ahead
        self.result: Optional[Result] = None
        self._out, self._err = _Kept(), _Kept()
        if after > 0:  # what came before has gone to somebody else
            self._out.whole = self._err.whole = False

    def read(self, value: Any) -> Optional[Event]:
        if isinstance(value, dict) and value.get("type") == "end":
            self.complete = True  # also when it says that the program never ran
        event = event_from(value)
        if event is None:
            return None
        if isinstance(event, Accepted):
            self.execution_id = event.id
        elif isinstance(event, Stdout):
            self._out.add(event.data)
        elif isinstance(event, Stderr):
            self._err.add(event.data)
        elif isinstance(event, Gap):
            self._out.whole = self._err.whole = False
        elif isinstance(event, End):
            event = self._with_output(event)
            self.result = event.result
        return event

    def _with_output(self, event: End) -> End:
        result = event.result
        streams = BothStreams(
            result.truncated.stdout or not self._out.whole,
            result.truncated.stderr or not self._err.whole,
        )
        result = replace(
            result,
            stdout=self._out.data.decode("utf-8", "replace"),
            stderr=self._err.data.decode("utf-8", "replace"),
            truncated=streams,
        )
        return replace(event, result=result)

    def broken(self, why: str) -> ConnectionLost:
        return StreamBroken(
            f"the stream broke off before the program's end: {why}",
            "what became of the program is not known; unless it was started with detach=True, it has been cancelled",
            self.execution_id,
            self.seq,
        )


class ItemReader(Reader[Item]):
    """Of a batch: as many answers as it has items, in their order."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self._next = 0
        self.complete = count == 0

    def read(self, value: Any) -> Optional[Item]:
        if not isinstance(value, dict):
            raise BadAnswer("a line of the batch is not an object")
        if "keepalive" in value:
            return None
        if value.get("index") != self._next:
            raise BadAnswer(f"the answer to item {self._next} of the batch is missing")
        self._next += 1
        self.complete = self._next == self._count
        if "problem" in value:
            return Item(self._next - 1, None, problem_from(value["problem"]))
        return Item(self._next - 1, Result.from_json(value.get("result")), None, value.get("matched"))

    def broken(self, why: str) -> ConnectionLost:
        return ConnectionLost(
            f"the batch broke off after {self._next} of {self._count} answers: {why}",
            "what became of the others is not known; they have been cancelled",
        )
