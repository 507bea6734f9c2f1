"""The examples of the documents, as a reader would run them."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess
import sys
from typing import List, Tuple

import pytest

from conftest import Daemon

PACKAGE = pathlib.Path(__file__).parents[1]
DOCUMENTS = [PACKAGE / "README.md", PACKAGE.parents[1] / "docs" / "sdk.md"]


def examples(document: pathlib.Path) -> List[Tuple[str, str]]:
    found = re.findall(r"```python\n(.*?)```\n(?:```text\n(.*?)```)?", document.read_text(), re.S)
    assert found
    return found


@pytest.mark.parametrize(
    "code, expected",
    [pytest.param(*one, id=f"{d.stem}-{i}") for d in DOCUMENTS if d.exists() for i, one in enumerate(examples(d))],
)
def test_examples_print_what_they_say(daemon: Daemon, code: str, expected: str) -> None:
    environment = {**os.environ, "HOTCELL_URL": daemon.url}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    assert re.fullmatch(pattern, done.stdout, re.S), done.stdout


def test_the_code_is_that_of_python_3_9() -> None:
    for file in sorted((PACKAGE / "src").rglob("*.py")):
        ast.parse(file.read_text(), feature_version=(3, 9))
