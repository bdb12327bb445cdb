"""Result files: the numbers of each step as CSV, which some servers wrap in base64."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime

from ftproviders.adapters._openai_dialect.events import METRIC_NAMES
from ftproviders.schema.job import JobEvent

__all__ = ["result_events"]

_STEP = "step"


def result_events(content: bytes, *, file_id: str, at: datetime) -> list[JobEvent]:
    """Read a result file as events with numbers, in the order of steps.

    Args:
        content: The file, CSV or base64 of CSV; anything else gives no events.
        file_id: Its id, for the ids of the events.
        at: When the job ended: rows have no times.
    """
    return [
        JobEvent(
            id=f"{file_id}:{step}",
            created_at=at,
            message=f"Step {step}, from {file_id}",
            kind="metrics",
            step=step,
            metrics=numbers,
        )
        for step, numbers in sorted(_rows(_decoded(content)).items())
    ]


def _decoded(content: bytes) -> str:
    head = content[:4096].splitlines()[0] if content.strip() else b""
    if b"," not in head:
        try:
            content = base64.b64decode(b"".join(content.split()), validate=True)
        except (binascii.Error, ValueError):
            return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""


def _rows(text: str) -> Mapping[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            cells = {(name or "").strip(): value for name, value in row.items()}
            numbers = dict(_numbers(cells))
            step = numbers.pop(_STEP, None)
            if step is not None and numbers:
                found.setdefault(int(step), {}).update(numbers)
    except (csv.Error, ValueError, OverflowError):
        return found  # what could be read until then
    return found


def _numbers(cells: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    for name, value in cells.items():
        if not name or not isinstance(value, str) or not value.strip():
            continue
        try:
            yield METRIC_NAMES.get(name, name), float(value)
        except ValueError:
            continue
