"""The shapes that agent frameworks call."""

from __future__ import annotations

import asyncio

import pytest

import hotcell
from conftest import Daemon


def test_the_coroutine(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTCELL_URL", daemon.url)

    async def work() -> None:
        good = await hotcell.execute_code(code="print('hi')", language="python", context={"user_id": "123"})
        assert (good.success, good.status, good.output, good.error) == (True, "completed", "hi\n", None)
        assert good.result is not None and good.result.metadata == {"user_id": "123"}
        bad = await hotcell.execute_code("print(undefined_variable)")
        assert not bad.success and bad.status == hotcell.ExecutionStatus.FAILED
        assert bad.error == "NameError: name 'undefined_variable' is not defined"
        refused = await hotcell.execute_code("import os; os.system('rm -rf /')")
        assert not refused.success and refused.status == hotcell.ExecutionStatus.FAILED
        assert refused.error is not None and refused.error.startswith("Security validation failed: dangerous")
        late = await hotcell.execute_code("import time; time.sleep(100)", timeout=1)
        assert late.status == hotcell.ExecutionStatus.TIMEOUT
        assert late.error == "Execution timeout after 1 second" or late.error == "Execution timeout after 1 seconds"
        plain = await hotcell.execute_code("print(1)", "python", None, [], 5)
        assert plain.output == "1\n"
        wrong = await hotcell.execute_code("print(1)", language="cobol")
        assert not wrong.success and wrong.error is not None and "cobol" in wrong.error

    asyncio.run(work())


def test_the_sandbox(daemon: Daemon) -> None:
    sandbox = hotcell.get_code_execution_sandbox(daemon.url)
    result = asyncio.run(sandbox.execute_code(code="print(6 * 7)", language="python"))
    assert result.success and result.output == "42\n"


def test_the_tool(daemon: Daemon) -> None:
    tool = hotcell.create_code_execution_tool(agent_id=7, user_id="u", url=daemon.url)
    assert tool.name == "code_execution" and tool.parameters["required"] == ["code"]
    result = tool.run(code="print('Hello')", language="python")
    assert result.success and str(result) == "Hello\n"
    assert result.result is not None and result.result.metadata == {"agent_id": "7", "user_id": "u"}
    failed = asyncio.run(tool.arun(code="print('before')\n1/0"))
    assert not failed.success and str(failed) == "before\nError: ZeroDivisionError: division by zero"


def test_a_service_that_is_not_there_is_told_to_the_agent() -> None:
    result = hotcell.create_code_execution_tool(url="unix:/nonexistent/s.sock").run("print(1)")
    assert not result.success and result.error is not None
    assert "cannot be reached" in result.error and "start hotcelld" in result.hint
