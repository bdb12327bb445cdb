"""What a command line leaves behind, and small helpers of these tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"not one line on stdout: {self.out!r}; stderr: {self.err!r}"
        return json.loads(lines[0])


Run = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[bytes]"]


def environment() -> dict[str, str]:
    """Return the variables of a program that uses this source, with streams as users have them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**kept, "PYTHONPATH": str(ROOT)}


def row(question: str, answer: str) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages})


def ended(process: subprocess.Popen[bytes], *, patience_seconds: float = 60) -> Result:
    """Wait for a program and return what it left behind."""
    out, err = process.communicate(timeout=patience_seconds)
    return Result(process.returncode, (out or b"").decode(), (err or b"").decode())


def lines_of(text: str) -> Sequence[dict[str, Any]]:
    """Read one JSON object a line."""
    return [json.loads(line) for line in text.splitlines()]
