"""What can go wrong. What became of a program is never an exception: that is a Result.

Every exception has a `hint` where there is something to do about it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple, Type

if TYPE_CHECKING:
    from .results import Result


class HotcellError(Exception):
    """Everything that this package raises."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint


class Unreachable(HotcellError):
    """No connection could be made: nothing was sent, nothing ran."""


class ConnectionLost(HotcellError):
    """The connection broke after the request had been sent: what became of the program is not known."""


class StreamBroken(ConnectionLost):
    """A stream ended without its end. `Client.events(execution_id, after=seq)` goes on where it broke off, if the
    program was started with `detach=True`."""

    def __init__(self, message: str, hint: str = "", execution_id: Optional[str] = None, seq: int = 0) -> None:
        super().__init__(message, hint)
        self.execution_id = execution_id
        self.seq = seq


class ClientTimeout(HotcellError):
    """The service did not answer for longer than this client waits. Not a program's timeout: that is a Result."""


class BadAnswer(HotcellError):
    """What answered does not speak as hotcell does."""


class ProgramFailed(HotcellError):
    """Raised by `Result.check()` for a program that did not complete."""

    def __init__(self, result: Result) -> None:
        error = result.error
        if error is not None:
            what = f"{error.name}: {error.message}" if error.name and error.kind == "exception" else error.message
        else:
            what = f"the program ended with exit code {result.exit_code}"
        super().__init__(what, error.hint if error is not None else "")
        self.result = result


class ProblemError(HotcellError):
    """The service did not admit the request. `code` is stable and made to be matched on."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        hint: str = "",
        retryable: bool = False,
        request_id: Optional[str] = None,
        errors: Tuple[Tuple[str, str], ...] = (),
        retry_after: Optional[float] = None,
    ) -> None:
        where = "; ".join(f"{pointer}: {what}" for pointer, what in errors if what != detail)
        super().__init__(f"{detail}: {where}" if where else detail, hint)
        self.status = status
        self.code = code
        self.detail = detail
        self.retryable = retryable
        self.request_id = request_id
        self.errors = errors
        self.retry_after = retry_after


class InvalidRequest(ProblemError):
    """A field is wrong, a limit above the maximum, the body too large; `errors` names the places."""


class Unauthenticated(ProblemError):
    """The token is missing or not known."""


class Forbidden(ProblemError):
    """This user, host or origin may not use the service."""


class NotFound(ProblemError):
    """No such execution or file, or none any more."""


class Conflict(ProblemError):
    """Something else is going on under the same name or key."""


class Busy(ProblemError):
    """The service has too much to do, or is going down: later it may work."""


class TenantLimit(Busy):
    """This token has used up what it may use at once."""


class QueueTimeout(Busy):
    """The deadline passed before the program's turn came: it never ran."""


class EngineUnavailable(ProblemError):
    """The engine that the program needs is not there now."""


class InternalError(ProblemError):
    """hotcell's own fault."""


_BY_CODE: Dict[str, Type[ProblemError]] = {
    "tenant_limit": TenantLimit,
    "deadline_in_queue": QueueTimeout,
    "engine_unavailable": EngineUnavailable,
}
_BY_STATUS: Dict[int, Type[ProblemError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    429: TenantLimit,
    503: Busy,
    504: QueueTimeout,
}


def problem_from(value: Mapping[str, Any], status: int = 0, retry_after: Optional[str] = None) -> ProblemError:
    """The exception for a problem document."""
    status = status or int(value.get("status") or 500)
    code = str(value.get("code") or status)
    found = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if found is None:
        found = InvalidRequest if 400 <= status < 500 else InternalError
    errors: List[Tuple[str, str]] = []
    for one in value.get("errors") or ():
        errors.append((str(one.get("pointer", "")), str(one.get("detail", ""))))
    return found(
        status,
        code,
        str(value.get("detail") or value.get("title") or f"the service answered {status}"),
        str(value.get("hint") or ""),
        bool(value.get("retryable")),
        value.get("request_id"),
        tuple(errors),
        _seconds(retry_after),
    )


def problem_from_answer(status: int, body: bytes, retry_after: Optional[str]) -> HotcellError:
    """The exception for an answer that is no success; a BadAnswer when it is no problem document."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict) and "code" in value:
        return problem_from(value, status, retry_after)
    return BadAnswer(
        f"something that is not hotcell answered with status {status}", "look at the URL, and at what stands between"
    )


def _seconds(text: Optional[str]) -> Optional[float]:
    try:
        return max(0.0, float(text)) if text is not None else None
    except ValueError:
        return None  # a date: hotcell sends none
