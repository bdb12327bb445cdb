"""The two conversations of a preference row, each as a row of messages. Imports little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["conversations"]

Row = Mapping[str, Any]


def conversations(row: object) -> tuple[Row, Row] | None:
    """Return the input with the preferred, and with the rejected answer.

    The same rules as those of the local training (``worker.pairs``): earlier messages have weight
    0, because only the answers are learned from.

    Args:
        row: A decoded row, in OpenAI's shape or in TRL's columns.

    Returns:
        Two rows of messages; None when it is no preference row.
    """
    if not isinstance(row, Mapping):
        return None
    try:
        asked, chosen, rejected = _parts(row)
        silent = [{**message, "weight": 0} for message in asked]
        tools = row.get("input", row).get("tools")
    except (AttributeError, KeyError, TypeError):
        return None
    better, worse = ({"messages": [*silent, *one], "tools": tools} for one in (chosen, rejected))
    return better, worse


def _parts(row: Row) -> tuple[list[Any], list[Any], list[Any]]:
    """Return input, preferred and rejected answer."""
    if "input" in row:
        return row["input"]["messages"], row["preferred_output"], row["non_preferred_output"]
    asked = _messages(row.get("prompt") or [], "user")
    chosen, rejected = (_messages(row[name], "assistant") for name in ("chosen", "rejected"))
    # Without a column of its own, the prompt is what both conversations begin with.
    common = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        common += 1
    return [*asked, *chosen[:common]], chosen[common:], rejected[common:]


def _messages(said: Any, role: str) -> list[Any]:
    return [{"role": role, "content": said}] if isinstance(said, str) else list(said)
