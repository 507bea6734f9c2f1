"""Every request that there is, as a value: what is sent, how long to wait, how to read the answer. The two clients only
differ in how they carry bytes."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Generic, Iterator, List, Mapping, Optional, Sequence, TypeVar, Union
from urllib.parse import quote

import httpx

from ._address import Address
from ._decode import decode
from ._readers import MOST_BYTES
from .errors import BadAnswer, ClientTimeout, ConnectionLost, HotcellError, Unreachable, problem_from_answer
from .programs import Input, Program, item_of, patience_of, request_of
from .results import Capabilities, Pending, Result, ServiceStatus, ToolResult

T = TypeVar("T")

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0  # of a stream: the service says something at least every five
ASKING_SECONDS = 30.0  # for what runs nothing


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    after_loss: bool  # an earlier attempt may have reached the service

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadAnswer("the answer is not JSON", "look at the URL, and at what stands between") from None


@dataclass(frozen=True)
class Call(Generic[T]):
    method: str
    path: str
    read: Callable[[Answer], T]
    patience: float = ASKING_SECONDS
    body: Optional[bytes] = None
    headers: Dict[str, str] = field(default_factory=dict)
    repeatable: bool = False  # sending it twice does no more than sending it once

    def all_headers(self) -> Dict[str, str]:
        return {"Content-Type": "application/json", **self.headers} if self.body is not None else self.headers

    def timeout(self, reading: float) -> httpx.Timeout:
        return httpx.Timeout(connect=CONNECT_SECONDS, read=reading, write=60.0, pool=self.patience)


class Collector:
    """An answer's body: within a size and a time, however slowly it drips."""

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._parts: List[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._parts.append(chunk)
        self._size += len(chunk)
        if self._size > MOST_BYTES:
            raise BadAnswer("the answer is too large", "collect fewer files, or fetch them one by one")
        if time.monotonic() > self._until:
            raise ClientTimeout("the answer did not come to its end in time")

    def body(self) -> bytes:
        return b"".join(self._parts)


@contextlib.contextmanager
def translated(address: Address) -> Iterator[None]:
    """The transport's exceptions as ours."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Unreachable(
            f"hotcelld cannot be reached at {address.text}: {error or type(error).__name__}",
            "start hotcelld, or say where it is: HOTCELL_URL, or Client(url)",
        ) from error
    except httpx.TimeoutException as error:
        raise ClientTimeout(f"no answer from {address.text} in time", "see wait_seconds") from error
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        raise ConnectionLost(
            f"the connection to {address.text} broke: {error or type(error).__name__}",
            "what became of the program is not known",
        ) from error
    except httpx.HTTPError as error:
        raise BadAnswer(f"{address.text} gave no usable answer: {error}") from error


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> HotcellError:
    return problem_from_answer(status, body, headers.get("retry-after"))


def _body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _read_json(cls: Any) -> Callable[[Answer], Any]:
    return lambda answer: decode(cls, answer.json())


def _read_result(answer: Answer) -> Result:
    result = Result.from_json(answer.json())
    replayed = answer.headers.get("idempotency-replayed") == "true"
    if answer.after_loss and replayed and result.status == "cancelled":
        raise ConnectionLost("the connection broke, and with it the run was cancelled", "detach=True keeps it going")
    return result


def _key_header(key: Optional[str]) -> Dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


NDJSON = {"Accept": "application/x-ndjson"}


def execute(
    code: Optional[str], language: Optional[str], options: Mapping[str, Any], key: Optional[str], wait_seconds: float
) -> Call[Result]:
    return Call(
        "POST",
        "/v1/execute",
        _read_result,
        patience_of(options, wait_seconds),
        _body(request_of(code, language, options)),
        _key_header(key),
        repeatable=key is not None,
    )


def stream(
    code: Optional[str],
    language: Optional[str],
    options: Mapping[str, Any],
    key: Optional[str],
    wait_seconds: float,
    binary: bool,
) -> Call[None]:
    path = "/v1/execute?output=base64" if binary else "/v1/execute"
    body = _body(request_of(code, language, options))
    return Call("POST", path, _nothing, wait_seconds, body, {**NDJSON, **_key_header(key)}, repeatable=key is not None)


def events(execution_id: str, after: int) -> Call[None]:
    path = f"{_execution(execution_id)}/events?after={after}"
    return Call("GET", path, _nothing, headers=dict(NDJSON), repeatable=True)


def batch(programs: Sequence[Union[str, Program]], concurrency: Optional[int], wait_seconds: float) -> Call[None]:
    body: Dict[str, Any] = {"items": [item_of(program) for program in programs]}
    if concurrency is not None:
        body["concurrency"] = concurrency
    return Call("POST", "/v1/batch", _nothing, wait_seconds, _body(body), dict(NDJSON))


def inputs(
    code: str, given: Sequence[Input], language: Optional[str], options: Mapping[str, Any], wait_seconds: float
) -> Call[None]:
    if not given:
        raise ValueError("there are no inputs to run the program for")
    body = {**request_of(code, language, options), "inputs": [dict(one) for one in given]}
    return Call("POST", "/v1/execute", _nothing, wait_seconds, _body(body), dict(NDJSON))


def _nothing(answer: Answer) -> None:
    return None


def get(execution_id: str) -> Call[Union[Result, Pending]]:
    def read(answer: Answer) -> Union[Result, Pending]:
        return decode(Pending, answer.json()) if answer.status == 202 else Result.from_json(answer.json())

    return Call("GET", _execution(execution_id), read, repeatable=True)


def cancel(execution_id: str) -> Call[bool]:
    def read(answer: Answer) -> bool:
        value = answer.json()
        return isinstance(value, dict) and value.get("cancelled") is True

    return Call("POST", _execution(execution_id) + "/cancel", read, repeatable=True)


def file(execution_id: str, path: str) -> Call[bytes]:
    url = f"{_execution(execution_id)}/files/{quote(path)}"
    return Call("GET", url, lambda answer: answer.body, patience=300.0, repeatable=True)


def tool(name: str, parameters: Mapping[str, Any], key: Optional[str], wait_seconds: float) -> Call[ToolResult]:
    def read(answer: Answer) -> ToolResult:
        value = answer.json()
        result = _read_result(answer)
        return ToolResult(
            value.get("tool", name), bool(value.get("success")), value.get("output", ""), value.get("error_text", ""), result
        )

    own = float(parameters.get("timeout") or parameters.get("timeout_seconds") or 0)
    body = {"tool": name, "parameters": {k: v for k, v in parameters.items() if v is not None}}
    headers = _key_header(key)
    return Call("POST", "/v1/tools", read, own + wait_seconds, _body(body), headers, repeatable=key is not None)


def capabilities() -> Call[Capabilities]:
    return Call("GET", "/v1/capabilities", _read_json(Capabilities), repeatable=True)


def status() -> Call[ServiceStatus]:
    return Call("GET", "/v1/status", _read_json(ServiceStatus), repeatable=True)


def _execution(execution_id: str) -> str:
    return "/v1/executions/" + quote(execution_id, safe="")


def own_file(execution: Union[str, Result], path: str) -> Optional[bytes]:
    """Of a result that has the content in itself."""
    if isinstance(execution, str):
        return None
    found = execution.file(path)
    return found.content if found is not None else None
