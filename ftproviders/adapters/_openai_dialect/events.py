"""Events and the numbers in them, oldest first.

The service lists events newest first, a page at a time. Numbers come as data of an event, or only
in its text (``Step 12/300: training loss=0.25``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from ftproviders.adapters._openai_dialect.reading import moment, number
from ftproviders.schema.job import EventLevel, JobEvent

__all__ = ["METRIC_NAMES", "after_cursor", "ordered", "read_event", "text_metrics"]

METRIC_NAMES: Mapping[str, str] = {
    "training loss": "train_loss",
    "validation loss": "valid_loss",
    "full validation loss": "full_valid_loss",
    "training accuracy": "train_mean_token_accuracy",
    "training token accuracy": "train_mean_token_accuracy",
    "training mean token accuracy": "train_mean_token_accuracy",
    "validation accuracy": "valid_mean_token_accuracy",
    "validation token accuracy": "valid_mean_token_accuracy",
    "validation mean token accuracy": "valid_mean_token_accuracy",
    "full validation mean token accuracy": "full_valid_mean_token_accuracy",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_accuracy": "valid_mean_token_accuracy",
    "validation_mean_token_accuracy": "valid_mean_token_accuracy",
}
"""What texts and result files call a metric -> its name in the service's own data."""

_LEVELS = {
    "warn": EventLevel.WARNING,
    "warning": EventLevel.WARNING,
    "error": EventLevel.ERROR,
}
_STEP = re.compile(
    r"\s*step\s+(\d{1,15})(?:\s*(?:/|of)\s*(\d{1,15}))?\s*:\s*(.*)", re.IGNORECASE | re.DOTALL
)
_PAIR = re.compile(
    r"([a-z][a-z0-9 _-]*?)\s*=\s*"
    r"([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|nan|inf(?:inity)?))(?![\w.])",
    re.IGNORECASE,
)
_PLACES = {"step", "total_steps"}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def text_metrics(message: str) -> tuple[int | None, int | None, dict[str, float]]:
    """Read step, number of all steps and metrics out of an event's text."""
    found = _STEP.match(message)
    if found is None:
        return None, None, {}
    step, total, rest = found.groups()
    numbers = {_name(name): float(value) for name, value in _PAIR.findall(rest)}
    return int(step), int(total) if total else None, numbers


def _name(text: str) -> str:
    plain = " ".join(text.lower().split())
    return METRIC_NAMES.get(plain, plain.replace(" ", "_").replace("-", "_"))


def _numbers(data: object) -> dict[str, float]:
    if not isinstance(data, Mapping):
        return {}
    read = {METRIC_NAMES.get(str(name), str(name)): number(value) for name, value in data.items()}
    return {name: value for name, value in read.items() if value is not None}


def _whole(value: float | None) -> int | None:
    """Return a step, or None for what can be none."""
    return int(value) if value is not None and math.isfinite(value) and value >= 0 else None


def read_event(entry: Mapping[str, Any], *, otherwise: datetime = _LONG_AGO) -> JobEvent:
    """Read an event.

    Args:
        entry: As the service has it; anything but its id may be missing.
        otherwise: Its time, if it says none.
    """
    message = entry["message"] if isinstance(entry.get("message"), str) else ""
    step, total, texts = text_metrics(message)
    data = _numbers(entry.get("data"))
    place, of = data.get("step", step), data.get("total_steps", total)
    metrics = {name: value for name, value in data.items() if name not in _PLACES}
    # Texts are rounded to two digits, so data go first.
    metrics = {**texts, **metrics}
    kind: Literal["message", "metrics"] = "metrics" if metrics else "message"
    if not metrics and entry.get("type") != "metrics":
        place = None
    return JobEvent(
        id=str(entry["id"]),
        created_at=moment(entry.get("created_at")) or otherwise,
        level=_LEVELS.get(str(entry.get("level")).lower(), EventLevel.INFO),
        message=message or ("" if metrics else "(no text)"),
        kind=kind,
        step=_whole(place),
        total_steps=_whole(of),
        metrics=metrics,
    )


def ordered(entries: Sequence[Mapping[str, Any]]) -> list[JobEvent]:
    """Read a whole list and put it into order, oldest first; each event once.

    Args:
        entries: As they were listed, newest first or, at some servers, oldest first.
    """
    unique = list({str(entry["id"]): entry for entry in entries}.values())
    times = [moment(entry.get("created_at")) for entry in unique]
    known = [time for time in times if time is not None]
    rising = len(known) > 1 and known == sorted(known) and known[0] < known[-1]
    if not rising:
        unique.reverse()
    return sorted(_with_times(unique), key=lambda event: event.created_at)


def _with_times(entries: Iterable[Mapping[str, Any]]) -> Iterator[JobEvent]:
    """Give an event without a time that of the event before it."""
    last = _LONG_AGO
    for entry in entries:
        event = read_event(entry, otherwise=last)
        last = event.created_at
        yield event


def after_cursor(events: Sequence[JobEvent], after: str | None) -> Sequence[JobEvent]:
    """Return the events behind the one with id `after`; all of them if it is not there."""
    ids = [event.id for event in events]
    return events[ids.index(after) + 1 :] if after in ids else events
