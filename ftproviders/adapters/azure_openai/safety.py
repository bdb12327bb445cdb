"""What events and errors say in words only: safety checks, and the tokens that were billed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ftproviders.schema.job import JobEvent
from ftproviders.schema.value import JsonValue

__all__ = ["SafetyRejected", "billed", "read_rejection", "safety_passed"]

_REJECTIONS: tuple[tuple[Literal["data", "model"], re.Pattern[str]], ...] = (
    ("data", re.compile(r"failed rai checks[^\[]*\[([^\]]*)\]", re.IGNORECASE)),
    ("model", re.compile(r"unable to be deployed[^\[]*\[([^\]]*)\]", re.IGNORECASE)),
)
_BILLED = re.compile(r"training (tokens|hours) billed:\s*([\d.,]+)", re.IGNORECASE)
_PASSED = re.compile(r"model evaluation passed", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SafetyRejected:
    """A job that one of the two safety checks has ended."""

    stage: Literal["data", "model"]
    """``data`` = the training data, before training; ``model`` = the tuned model, after it."""
    categories: tuple[str, ...]
    """What was found, in the service's words: ``violence``, ``self_harm``, ``hate_fairness``."""


def read_rejection(message: str) -> SafetyRejected | None:
    """Read a job's error; None when it is about something else."""
    for stage, pattern in _REJECTIONS:
        found = pattern.search(message)
        if found is not None:
            words = (word.strip().lower() for word in found[1].split(","))
            named = tuple(re.sub(r"[\s/-]+", "_", word) for word in words if word)
            return SafetyRejected(stage=stage, categories=named)
    return None


def safety_passed(events: Iterable[JobEvent]) -> bool:
    """Say whether events tell that the tuned model has passed its check."""
    return any(_PASSED.search(event.message) for event in events)


def billed(events: Iterable[JobEvent]) -> dict[str, JsonValue]:
    """Return ``billed_tokens`` and ``billed_hours`` as far as events tell them."""
    found: dict[str, JsonValue] = {}
    for event in events:
        told = _BILLED.search(event.message)
        if told is None:
            continue
        number = told[2].replace(",", "").rstrip(".")
        if told[1].lower() == "tokens" and number.isdecimal():
            found["billed_tokens"] = int(number)
        elif told[1].lower() == "hours" and number.replace(".", "", 1).isdecimal():
            found["billed_hours"] = float(number)
    return found
