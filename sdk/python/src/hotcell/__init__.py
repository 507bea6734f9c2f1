"""Run programs that you do not trust, and learn what became of them.

    import hotcell
    print(hotcell.run("print(1)").stdout)

`Client` and `AsyncClient` have everything; `hotcell.agent` has the shapes that agent frameworks call.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Optional, Tuple

from . import events
from ._retry import Retry
from ._version import __version__
from .agent import CodeExecutionSandbox, CodeExecutionTool, ExecutionResult, ExecutionStatus
from .agent import create_code_execution_tool, execute_code, get_code_execution_sandbox
from .aio import AsyncClient, AsyncEventStream, AsyncStream
from .client import Client, EventStream, Stream
from .errors import BadAnswer, Busy, ClientTimeout, Conflict, ConnectionLost, EngineUnavailable, Forbidden
from .errors import HotcellError, InternalError, InvalidRequest, NotFound, ProblemError, ProgramFailed, QueueTimeout
from .errors import StreamBroken, TenantLimit, Unauthenticated, Unreachable
from .events import End, Event, Output, Stderr, Stdout
from .programs import Input, Limits, Options, Program
from .results import Capabilities, Failure, Item, OutputFile, Pending, Result, ServiceStatus, ToolResult

if TYPE_CHECKING:
    from typing_extensions import Unpack

_lock = threading.Lock()
_shared: Optional[Tuple[int, Client]] = None  # the process that made it, since a fork must not share connections


def _client() -> Client:
    global _shared
    with _lock:
        if _shared is None or _shared[0] != os.getpid():
            _shared = (os.getpid(), Client())
        return _shared[1]


def run(code: Optional[str] = None, language: Optional[str] = None, **options: Unpack[Options]) -> Result:
    """Runs a program where $HOTCELL_URL says, else at hotcelld's usual socket; see `Client.run`."""
    return _client().run(code, language, **options)


def stream(code: Optional[str] = None, language: Optional[str] = None, **options: Unpack[Options]) -> EventStream:
    """As `run`, and tells what happens when it happens; see `Client.stream`."""
    return _client().stream(code, language, **options)


__all__ = [
    "AsyncClient",
    "AsyncEventStream",
    "AsyncStream",
    "BadAnswer",
    "Busy",
    "Capabilities",
    "Client",
    "ClientTimeout",
    "CodeExecutionSandbox",
    "CodeExecutionTool",
    "Conflict",
    "ConnectionLost",
    "End",
    "EngineUnavailable",
    "Event",
    "EventStream",
    "ExecutionResult",
    "ExecutionStatus",
    "Failure",
    "Forbidden",
    "HotcellError",
    "Input",
    "InternalError",
    "InvalidRequest",
    "Item",
    "Limits",
    "NotFound",
    "Options",
    "Output",
    "OutputFile",
    "Pending",
    "ProblemError",
    "Program",
    "ProgramFailed",
    "QueueTimeout",
    "Result",
    "Retry",
    "ServiceStatus",
    "Stderr",
    "Stdout",
    "Stream",
    "StreamBroken",
    "TenantLimit",
    "ToolResult",
    "Unauthenticated",
    "Unreachable",
    "__version__",
    "create_code_execution_tool",
    "events",
    "execute_code",
    "get_code_execution_sandbox",
    "run",
    "stream",
]
