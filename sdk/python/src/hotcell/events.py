"""What happens to a program, when it happens. Every stream ends with exactly one End."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple, Type, Union

from ._decode import decode
from .errors import BadAnswer, problem_from
from .results import Failure, OutputFile, Result, Value


@dataclass(frozen=True)
class _Event:
    seq: int
    t: float  # seconds since admission


@dataclass(frozen=True)
class Accepted(_Event):
    id: str


@dataclass(frozen=True)
class Queued(_Event):
    position: int


@dataclass(frozen=True)
class Setup(_Event):
    phase: str
    message: str = ""


@dataclass(frozen=True)
class Started(_Event):
    engine: str
    start: str


@dataclass(frozen=True)
class Output(_Event):
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True)
class Stdout(Output):
    pass


@dataclass(frozen=True)
class Stderr(Output):
    pass


@dataclass(frozen=True)
class Shown(_Event):
    """A displayed or returned value."""

    value: Value


@dataclass(frozen=True)
class Failed(_Event):
    failure: Failure


@dataclass(frozen=True)
class Files(_Event):
    files: Tuple[OutputFile, ...]


@dataclass(frozen=True)
class Keepalive(_Event):
    pass


@dataclass(frozen=True)
class Gap(_Event):
    """Events that are gone: nobody took them in time."""

    from_seq: int
    to_seq: int


@dataclass(frozen=True)
class End(_Event):
    """The result. Its stdout and stderr are what this stream has carried, at most a megabyte of each; `truncated` says
    when that is not all."""

    result: Result


Event = Union[Accepted, Queued, Setup, Started, Stdout, Stderr, Shown, Failed, Files, Keepalive, Gap, End]

_PLAIN: Dict[str, Type[Any]] = {
    "accepted": Accepted,
    "queued": Queued,
    "setup": Setup,
    "started": Started,
    "keepalive": Keepalive,
}


def event_from(value: Any) -> Optional[Event]:
    """None: an event of a service that knows more than we do. Raises what kept the program from running."""
    if not isinstance(value, dict):
        raise BadAnswer("a line of the stream is not an event")
    kind = value.get("type")
    if isinstance(kind, str) and kind in _PLAIN:
        event: Event = decode(_PLAIN[kind], value, kind)
        return event
    base = decode(_Event, value, str(kind))
    seq, t = base.seq, base.t
    if kind in ("stdout", "stderr"):
        data = base64.b64decode(value["base64"]) if "base64" in value else str(value.get("text", "")).encode("utf-8")
        return Stdout(seq, t, data) if kind == "stdout" else Stderr(seq, t, data)
    if kind == "result":
        return Shown(seq, t, decode(Value, value, kind))
    if kind == "error":
        return Failed(seq, t, decode(Failure, value, kind))
    if kind == "files":
        return Files(seq, t, tuple(decode(OutputFile, one, kind) for one in value.get("files", ())))
    if kind == "gap":
        return Gap(seq, t, int(value.get("from", 0)), int(value.get("to", 0)))
    if kind == "end":
        if "problem" in value:
            raise problem_from(value["problem"])
        # The output is not repeated at the end; the reader puts in what has passed.
        return End(seq, t, Result.from_json({"stdout": "", "stderr": "", **(value.get("result") or {})}))
    return None
