"""How long a program is for the one who writes it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

__all__ = ["logical_lines", "statements"]


def logical_lines(file: Path) -> int:
    """Return the statements of a program after `ruff format`."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", file.name, "-"],
        input=file.read_text("utf-8"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return statements(done.stdout)


def statements(source: str) -> int:
    """Count the statements of a module, also those inside others; imports and docstring are free.

    Comments and blank lines are no statements, and a statement over several lines is one.
    """
    tree = ast.parse(source)
    counted = sum(
        isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)
        for node in ast.walk(tree)
    )
    return counted - (ast.get_docstring(tree) is not None)
