"""A program and what it is given, as keyword arguments; and how they become a request."""

from __future__ import annotations

import base64
import os
import pathlib
from typing import Any, Dict, Mapping, Optional, Sequence, TypedDict, Union

Content = Union[str, bytes, "os.PathLike[str]"]  # a path: the content of that file on this machine


class Limits(TypedDict, total=False):
    memory_bytes: int
    cpu_seconds: float
    cpus: float
    pids: int
    disk_bytes: int
    output_bytes: int
    result_bytes: int
    files_bytes: int
    fuel: int


class Collect(TypedDict, total=False):
    paths: Sequence[str]
    changed: bool
    inline_bytes: int
    max_files: int


class Deterministic(TypedDict, total=False):
    seed: int
    time: float


class Options(TypedDict, total=False):
    """Everything that a program can be given beside its code and language; each is optional."""

    argv: Sequence[str]  # a command instead of code (docker)
    wasm: Union[bytes, str]  # a module instead of code: its bytes, or its name in the operator's folder
    mode: str
    session_id: str
    if_no_session: str
    if_busy: str
    engine: str  # "auto", "docker", "wasi"
    stdin: Union[str, bytes]
    args: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    timeout_seconds: float  # of the program alone
    deadline_seconds: float  # for everything, the wait for its turn included
    limits: Limits
    network: Union[str, Sequence[str]]  # "none", "open", or the "host:port" that it may reach
    dependencies: Union[str, Sequence[str]]  # "auto", "none", or packages
    image: str
    files: Mapping[str, Content]  # by path in the workspace
    collect: Collect
    checks: str  # "off", "warn", "enforce"
    deterministic: Deterministic
    include: Sequence[str]
    detach: bool  # the program goes on when the connection is lost
    metadata: Mapping[str, str]


class Program(Options, total=False):
    """One item of a batch."""

    code: str
    language: str


class Input(TypedDict, total=False):
    """One input of `Client.inputs()`."""

    stdin: str
    args: Sequence[str]
    expected_stdout: str


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _file(path: str, content: Content) -> Dict[str, str]:
    if isinstance(content, str):
        return {"path": path, "content": content}
    if isinstance(content, os.PathLike):
        content = pathlib.Path(content).read_bytes()
    return {"path": path, "content_base64": _base64(content)}


def request_of(code: Optional[str], language: Optional[str], options: Mapping[str, Any]) -> Dict[str, Any]:
    """The body of /v1/execute. What is not known here goes out as it is: the service names the nearest field."""
    body = {name: value for name, value in options.items() if value is not None}
    if code is not None:
        body["code"] = code
    if language is not None:
        body["language"] = language
    stdin = body.get("stdin")
    if isinstance(stdin, bytes):
        del body["stdin"]
        body["stdin_base64"] = _base64(stdin)
    wasm = body.get("wasm")
    if isinstance(wasm, (bytes, str)):
        body["wasm"] = {"name": wasm} if isinstance(wasm, str) else {"base64": _base64(wasm)}
        body["language"] = "wasm"
    network = body.get("network")
    if isinstance(network, str):
        body["network"] = {"mode": network}
    elif isinstance(network, (list, tuple)):
        body["network"] = {"mode": "allowlist", "allow": list(network)}
    dependencies = body.get("dependencies")
    if isinstance(dependencies, str):
        body["dependencies"] = {"mode": dependencies}
    files = body.get("files")
    if isinstance(files, Mapping):
        body["files"] = [_file(path, content) for path, content in files.items()]
    return body


def item_of(program: Union[str, Program]) -> Dict[str, Any]:
    if isinstance(program, str):
        return request_of(program, None, {})
    return request_of(None, None, program)


def patience_of(options: Mapping[str, Any], wait_seconds: float) -> float:
    """How long an answer may take: what the program may take, and `wait_seconds` for everything else."""
    own = options.get("deadline_seconds") or options.get("timeout_seconds") or 0
    return float(own) + wait_seconds
