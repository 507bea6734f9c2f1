"""What became of a program: the same schema for both engines, whatever the program did."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, Literal, Optional, Tuple

from ._decode import decode
from .errors import ProblemError, ProgramFailed

Status = Literal["completed", "failed", "timeout", "limit_exceeded", "rejected", "cancelled", "sandbox_error"]


@dataclass(frozen=True)
class Failure:
    """Why it did not complete. `code` is stable, `message` a plain sentence, `hint` what to do."""

    code: str
    kind: Literal["exception", "signal", "timeout", "limit", "rejected", "dependency", "cancelled", "sandbox"]
    name: str
    message: str
    traceback: str
    line: Optional[int]
    limit: str
    hint: str
    retryable: bool


@dataclass(frozen=True)
class Value:
    """A displayed or returned value, by MIME type; images are in base64."""

    main: bool
    data: Dict[str, str]


@dataclass(frozen=True)
class OutputFile:
    """A file that the program made, changed or deleted. Large ones come without content: `Client.file()` has them."""

    path: str
    change: Literal["created", "modified", "deleted"]
    size_bytes: int
    sha256: Optional[str]
    mime_type: str
    content_base64: Optional[str] = field(repr=False)
    url: Optional[str]

    @property
    def content(self) -> Optional[bytes]:
        return None if self.content_base64 is None else base64.b64decode(self.content_base64)


@dataclass(frozen=True)
class BothStreams:
    stdout: bool
    stderr: bool


@dataclass(frozen=True)
class Package:
    name: str
    version: str


@dataclass(frozen=True)
class Dependencies:
    installed: Tuple[Package, ...]
    cache: Literal["hit", "miss", "none"]


@dataclass(frozen=True)
class Finding:
    rule: str
    severity: str
    line: int
    message: str
    column: int = 0
    suggestion: str = ""


@dataclass(frozen=True)
class Checks:
    verdict: Literal["clean", "warned", "refused"]
    findings: Tuple[Finding, ...]


@dataclass(frozen=True)
class Engine:
    name: str
    version: str
    image: str
    start: str
    chosen_because: str


@dataclass(frozen=True)
class Usage:
    queue_seconds: float
    setup_seconds: float
    install_seconds: float
    wall_seconds: float
    cpu_seconds: float
    memory_peak_bytes: int
    fuel: Optional[int] = None


@dataclass(frozen=True)
class Result:
    """What became of one program."""

    id: str
    session_id: Optional[str]
    status: Status
    exit_code: Optional[int]
    signal: Optional[str]
    stdout: str
    stderr: str
    stdout_bytes: int
    stderr_bytes: int
    truncated: BothStreams
    lossy: BothStreams
    results: Tuple[Value, ...]
    error: Optional[Failure]
    files: Tuple[OutputFile, ...]
    dependencies: Dependencies
    checks: Checks
    engine: Engine
    usage: Usage
    limits: Dict[str, Any]
    execution_count: int
    created_at: datetime
    finished_at: datetime
    metadata: Dict[str, str]

    @property
    def ok(self) -> bool:
        return self.status == "completed"

    def check(self) -> Result:
        """Itself if the program completed, else ProgramFailed."""
        if not self.ok:
            raise ProgramFailed(self)
        return self

    def file(self, path: str) -> Optional[OutputFile]:
        return next((one for one in self.files if one.path == path), None)

    @classmethod
    def from_json(cls, value: Any) -> Result:
        return decode(cls, value)


@dataclass(frozen=True)
class Item:
    """One answer of a batch or of `inputs`: a result, or the error that kept it from running."""

    index: int
    result: Optional[Result]
    error: Optional[ProblemError]
    matched: Optional[bool] = None  # whether the output was expected_stdout, where one was given

    def check(self) -> Result:
        """The result, or its error as an exception. The program may still have failed: see `Result.check()`."""
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


@dataclass(frozen=True)
class ToolResult:
    """The answer to a tool call, with the members that its protocol has beside the whole result."""

    tool: str
    success: bool
    output: str
    error: str
    result: Result


@dataclass(frozen=True)
class Pending:
    """An execution that has not ended."""

    id: str
    status: Literal["queued", "running"]
    created_at: datetime


@dataclass(frozen=True)
class LanguageInfo:
    name: str
    aliases: Tuple[str, ...]
    version: str = ""
    engines: Tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineInfo:
    name: str
    version: str
    ready: bool
    why_not: Optional[str]
    languages: Tuple[LanguageInfo, ...]
    limits: Dict[str, Dict[str, float]]
    features: Dict[str, bool]
    isolation: Dict[str, str]


@dataclass(frozen=True)
class Capabilities:
    version: str
    engines: Tuple[EngineInfo, ...]
    languages: Tuple[LanguageInfo, ...]
    limits: Dict[str, Any]
    features: Dict[str, Any]


@dataclass(frozen=True)
class EngineState:
    name: str
    version: str
    ready: bool
    why_not: Optional[str]
    warm: Dict[str, int]


@dataclass(frozen=True)
class ServiceStatus:
    """What the service does now, and what happened in the last minute."""

    version: str
    phase: Literal["starting", "serving", "draining"]
    uptime_seconds: float
    engines: Tuple[EngineState, ...]
    running: int
    waiting: int
    max_running: int
    max_queued: int
    totals: Dict[str, int]
    runs_per_second: Tuple[int, ...]
    run_seconds: Optional[Dict[str, float]]
    failures: Tuple[Dict[str, Any], ...]
