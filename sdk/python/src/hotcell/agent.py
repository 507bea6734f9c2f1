"""Code execution as agent frameworks call it: a coroutine, a sandbox object, and the tool `code_execution`.

These never raise for what goes wrong with a program or with the service: an agent gets `success`, `status`, `output` and
`error`, and goes on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence

from .aio import AsyncClient
from .client import Client
from .errors import HotcellError
from .results import Result, ToolResult


class ExecutionStatus(str, enum.Enum):
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class ExecutionResult:
    success: bool
    status: ExecutionStatus
    output: str
    error: Optional[str]
    result: Optional[Result] = None  # everything, where a program was at least read
    hint: str = ""  # what to do about the error

    def __str__(self) -> str:
        """For a model to read."""
        if self.success:
            return self.output
        parts = [self.output, f"Error: {self.error}", f"Hint: {self.hint}" if self.hint else ""]
        return "\n".join(part.rstrip("\n") for part in parts if part)


def _from_answer(answer: ToolResult) -> ExecutionResult:
    found = {"completed": ExecutionStatus.COMPLETED, "timeout": ExecutionStatus.TIMEOUT}
    failure = answer.result.error
    return ExecutionResult(
        answer.success,
        found.get(answer.result.status, ExecutionStatus.FAILED),
        answer.output,
        None if answer.success else answer.error,
        answer.result,
        failure.hint if failure is not None else "",
    )


def _from_error(error: HotcellError) -> ExecutionResult:
    return ExecutionResult(False, ExecutionStatus.FAILED, "", error.message, None, error.hint)


def _parameters(
    code: str,
    language: str,
    context: Optional[Mapping[str, Any]],
    explicit_dependencies: Optional[Sequence[str]],
    timeout: Optional[float],
) -> Dict[str, Any]:
    return {
        "code": code,
        "language": language,
        "context": dict(context) if context else None,
        "explicit_dependencies": list(explicit_dependencies) if explicit_dependencies is not None else None,
        "timeout": timeout,
    }


async def execute_code(
    code: str,
    language: str = "python",
    context: Optional[Mapping[str, Any]] = None,
    explicit_dependencies: Optional[Sequence[str]] = None,
    timeout: Optional[float] = None,
    *,
    client: Optional[AsyncClient] = None,
) -> ExecutionResult:
    """Checks the program and runs it. `context` comes back as the result's metadata; without `explicit_dependencies` the
    packages are found by the program's imports."""
    parameters = _parameters(code, language, context, explicit_dependencies, timeout)
    try:
        if client is not None:
            return _from_answer(await client.tool("code_execution", **parameters))
        async with AsyncClient() as own:
            return _from_answer(await own.tool("code_execution", **parameters))
    except HotcellError as error:
        return _from_error(error)


class CodeExecutionSandbox:
    """The same as an object, with a client of its own."""

    def __init__(self, url: Optional[str] = None, *, token: Optional[str] = None) -> None:
        self._url = url
        self._token = token

    async def execute_code(
        self,
        code: str,
        language: str = "python",
        context: Optional[Mapping[str, Any]] = None,
        explicit_dependencies: Optional[Sequence[str]] = None,
        timeout: Optional[float] = None,
    ) -> ExecutionResult:
        async with AsyncClient(self._url, token=self._token) as client:
            return await execute_code(code, language, context, explicit_dependencies, timeout, client=client)


def get_code_execution_sandbox(url: Optional[str] = None, *, token: Optional[str] = None) -> CodeExecutionSandbox:
    return CodeExecutionSandbox(url, token=token)


class CodeExecutionTool:
    """For agents: `name`, `description`, and `parameters` as a JSON schema; `run`, and `arun` for asyncio."""

    name = "code_execution"
    description = (
        "Runs a program in a sandbox and gives back what it printed. The program has no network and no files but its "
        "own. Print what you want to see."
    )
    parameters: Dict[str, Any] = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "the program"},
            "language": {"type": "string", "enum": ["python", "javascript", "bash"], "default": "python"},
            "explicit_dependencies": {
                "type": "array",
                "items": {"type": "string"},
                "description": "packages, such as requests==2.28.0; found by the imports if not given",
            },
            "timeout": {"type": "number", "description": "seconds"},
        },
        "required": ["code"],
    }

    def __init__(
        self,
        agent_id: Any = None,
        user_id: Any = None,
        *,
        url: Optional[str] = None,
        token: Optional[str] = None,
    ) -> None:
        given = {"agent_id": agent_id, "user_id": user_id}
        self.context = {name: str(value) for name, value in given.items() if value is not None}
        self._url = url
        self._token = token

    def run(
        self,
        code: str,
        language: str = "python",
        explicit_dependencies: Optional[Sequence[str]] = None,
        timeout: Optional[float] = None,
    ) -> ExecutionResult:
        parameters = _parameters(code, language, self.context, explicit_dependencies, timeout)
        try:
            with Client(self._url, token=self._token) as client:
                return _from_answer(client.tool("code_execution", **parameters))
        except HotcellError as error:
            return _from_error(error)

    async def arun(
        self,
        code: str,
        language: str = "python",
        explicit_dependencies: Optional[Sequence[str]] = None,
        timeout: Optional[float] = None,
    ) -> ExecutionResult:
        async with AsyncClient(self._url, token=self._token) as client:
            return await execute_code(code, language, self.context, explicit_dependencies, timeout, client=client)


def create_code_execution_tool(
    agent_id: Any = None, user_id: Any = None, *, url: Optional[str] = None, token: Optional[str] = None
) -> CodeExecutionTool:
    return CodeExecutionTool(agent_id, user_id, url=url, token=token)
