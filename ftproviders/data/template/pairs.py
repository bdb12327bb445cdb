"""What a model reads of a row of another shape, as rows of messages. Imports little.

The two conversations of a preference row, and the one of a row of prompt and completion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["Place", "Reading", "completed", "conversations", "readings"]

Row = Mapping[str, Any]

Place = tuple[str | int, ...]
"""Keys and indexes from the row down to a value."""


class Reading(NamedTuple):
    """A conversation that the model reads, and where its parts stand in the row."""

    row: Row
    """The conversation as a row of messages."""
    places: tuple[Place, ...]
    """Where each message stands."""
    asked: Place
    """Where the messages stand that come first."""
    answered: Place
    """Where the answer stands that is learned from; for a row of messages the same."""
    tools: Place
    """Where declared tools stand."""
    answer: Literal["preferred", "rejected"] | None = None
    """Which answer of a pair it is; None for a row of messages."""

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return f"{self.answer} answer" if self.answer else "row"


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
        if not all(isinstance(said, list) for said in (asked, chosen, rejected)):
            return None
    except (AttributeError, KeyError, TypeError):
        return None
    better, worse = ({"messages": [*silent, *one], "tools": tools} for one in (chosen, rejected))
    return better, worse


def completed(row: object) -> Row | None:
    """Return prompt and completion as one conversation, of which the completion is learned.

    Args:
        row: A decoded row, in TRL's columns.

    Returns:
        A row of messages; None when prompt and completion are not both lists of messages.
    """
    asked, said = (row.get("prompt"), row.get("completion")) if isinstance(row, dict) else (0, 0)
    if not isinstance(row, dict) or not isinstance(asked, list) or not isinstance(said, list):
        return None
    if not all(isinstance(message, dict) for message in asked):
        return None
    silent = [{**message, "weight": 0} for message in asked]
    return {"messages": [*silent, *said], "tools": row.get("tools")}


def readings(row: object) -> tuple[Reading, ...]:
    """Return what the model reads of a row: its messages, or both conversations of a pair.

    Args:
        row: A decoded row; prompt and completion count where they are lists of messages.

    Returns:
        One reading, two, or none for a row of another shape.
    """
    if isinstance(row, Mapping) and isinstance(row.get("messages"), list):
        places = tuple(("messages", index) for index in range(len(row["messages"])))
        return (Reading(row, places, ("messages",), ("messages",), ("tools",)),)
    one_talk = completed(row)
    if one_talk is not None and isinstance(row, Mapping) and "chosen" not in row:
        spoken = _places(row["prompt"], ("prompt",)) + _places(row["completion"], ("completion",))
        return (Reading(one_talk, spoken, ("prompt",), ("completion",), ("tools",)),)
    pair = conversations(row)
    if pair is None or not isinstance(row, Mapping):
        return ()
    asked: Place = ("prompt",)
    tools: Place = ("tools",)
    keys = ("chosen", "rejected")
    if "input" in row:
        asked, tools = ("input", "messages"), ("input", "tools")
        keys = ("preferred_output", "non_preferred_output")
    before = _places(row["input"]["messages"] if "input" in row else row.get("prompt"), asked)
    better, worse = (
        Reading(one, before + _places(row[key], (key,)), asked if before else (key,), (key,), tools)
        for one, key in zip(pair, keys, strict=True)
    )
    return better._replace(answer="preferred"), worse._replace(answer="rejected")


def _places(said: object, holder: Place) -> tuple[Place, ...]:
    if isinstance(said, str):
        return (holder,) if said or holder != ("prompt",) else ()
    return tuple((*holder, index) for index in range(len(said) if isinstance(said, list) else 0))


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
