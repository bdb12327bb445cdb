"""The shapes that rows for fine-tuning come in elsewhere, told by their keys alone.

What lives here: names and keys. What does not: how a row of one shape becomes another
(``conversion``) and what is right or wrong in it (``rules``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

__all__ = [
    "COLUMN_ROLES",
    "Shape",
    "columns_flag",
    "missing_keys",
    "parse_columns",
    "shape_of",
    "suggest_columns",
]


class Shape(StrEnum):
    """A shape of rows."""

    MESSAGES = "messages"
    """``{"messages": [{"role", "content"}, ...]}``; OpenAI, Azure, TRL."""
    PREFERENCE = "preference"
    """``{"input": {"messages"}, "preferred_output", "non_preferred_output"}``; OpenAI's DPO."""
    CHOSEN_REJECTED = "chosen-rejected"
    """``{"prompt", "chosen", "rejected"}``, texts or lists of messages; TRL, AutoTrain."""
    PROMPT_COMPLETION = "prompt-completion"
    """``{"prompt", "completion"}``, texts or lists of messages; TRL, Azure ML."""
    ALPACA = "alpaca"
    """``{"instruction", "input", "output"}``, and ``system`` and ``history`` where they are."""
    SHAREGPT = "sharegpt"
    """``{"conversations": [{"from", "value"}, ...]}``, and ``system`` where it is."""
    COLUMNS = "columns"
    """One column for each role, with names that the user states."""


COLUMN_ROLES = ("system", "user", "assistant", "prompt", "chosen", "rejected", "messages", "tools")
"""What a column may be named as in a mapping."""

_KEYS: tuple[tuple[Shape, tuple[str, ...]], ...] = (
    (Shape.MESSAGES, ("messages",)),
    (Shape.PREFERENCE, ("input", "preferred_output", "non_preferred_output")),
    (Shape.CHOSEN_REJECTED, ("chosen", "rejected")),
    (Shape.SHAREGPT, ("conversations",)),
    (Shape.ALPACA, ("instruction", "output")),
    (Shape.PROMPT_COMPLETION, ("prompt", "completion")),
)

_NEXT_ROLE = re.compile(rf",(?=(?:{'|'.join(COLUMN_ROLES)})=)")


def shape_of(keys: Collection[str]) -> Shape | None:
    """Tell the shape of a row from its keys; None when it is none of the known ones."""
    for shape, needed in _KEYS:
        if all(key in keys for key in needed):
            return shape
    return None


def missing_keys(keys: Collection[str], shape: Shape) -> list[str]:
    """Return what a row with these keys lacks to be of a shape."""
    return [key for known, needed in _KEYS if known is shape for key in needed if key not in keys]


def parse_columns(text: str) -> dict[str, str]:
    """Read ``user=question,assistant=answer``; a column's own name may hold commas.

    Raises:
        ValueError: A part is not ``role=column``, or names no role or a role twice.
    """
    columns: dict[str, str] = {}
    for part in _NEXT_ROLE.split(text):
        role, equals, column = part.partition("=")
        role = role.strip()
        if not equals or role not in COLUMN_ROLES or not column:
            raise ValueError(f"{part!r} is not ROLE=COLUMN with one of {', '.join(COLUMN_ROLES)}")
        if role in columns:
            raise ValueError(f"{role!r} is named twice")
        columns[role] = column
    return columns


def columns_flag(columns: Mapping[str, str]) -> str:
    """Write a mapping as the flag that states it, quoted for a shell."""
    return f"--columns {shlex.quote(','.join(f'{role}={name}' for role, name in columns.items()))}"


def suggest_columns(keys: Sequence[str], *, only_named: bool = False) -> dict[str, str]:
    """Guess which column asks and which answers, as a mapping for the user to look at.

    Args:
        keys: Names of the columns.
        only_named: Only columns whose names say so; none that is merely left.

    Returns:
        Empty when the keys have a known shape, or when there are not two columns to choose from.
    """
    if shape_of(keys) is not None:
        return {}
    names = [key for key in keys if key]
    asks = _first(names, ("user", "question", "prompt", "query", "input", "instruction", "problem"))
    answers = _first(
        [name for name in names if name != asks],
        ("assistant", "answer", "completion", "response", "output", "reply", "solution", "target"),
    )
    rest = [name for name in names if name not in {asks, answers} and not only_named]
    asks = asks or (rest.pop(0) if rest else "")
    answers = answers or (rest.pop(0) if rest else "")
    return {"user": asks, "assistant": answers} if asks and answers else {}


def _first(names: Sequence[str], wanted: Sequence[str]) -> str:
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    return next((by_lower[word] for word in wanted if word in by_lower), "")
