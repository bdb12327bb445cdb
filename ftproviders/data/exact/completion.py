"""Rows without messages that some routes take: prompt and completion, or text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from ftproviders.data.exact.parts import check_conversation, kind
from ftproviders.data.findings import Finding
from ftproviders.data.shapes import Shape, shape_of

__all__ = ["COMPLETIONS", "TEXT", "check_completion", "other_shape"]

TEXT = "text"
"""Shape of a row that is one text."""

COMPLETIONS = frozenset({Shape.PROMPT_COMPLETION.value, TEXT})
"""Shapes of supervised rows without messages."""


_MESSAGES = Shape.MESSAGES.value


def other_shape(row: dict[str, Any]) -> str:
    """Return the shape of a row as its keys tell it; empty when it is none that is known."""
    if "messages" in row:
        return _MESSAGES
    shape = shape_of(row)
    if shape is not None:
        return shape.value
    return TEXT if "text" in row else ""


def check_completion(row: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with a row of prompt and completion, or of text."""
    if other_shape(row) == TEXT:
        yield from _text(row)
        return
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        if not completion.strip():
            yield Finding(
                rule="completion.empty",
                path=("completion",),
                message="the completion is empty",
                fix="Write the answer to be learned, or drop the row.",
            )
    elif _is_talk(prompt) and _is_talk(completion):
        yield from check_conversation(prompt, ("prompt",))
        yield from check_conversation(completion, ("completion",))
    else:
        odd = "completion" if isinstance(prompt, str) or _is_talk(prompt) else "prompt"
        yield Finding(
            rule="completion.fields",
            path=(odd,),
            message=f"`{odd}` is {kind(row[odd])}",
            fix="Write both as text, or both as lists of messages.",
        )


def _is_talk(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and bool(value)


def _text(row: dict[str, Any]) -> Iterator[Finding]:
    text = row["text"]
    if not isinstance(text, str) or not text.strip():
        yield Finding(
            rule="text.field",
            path=("text",),
            message=f"`text` is {kind(text) if not isinstance(text, str) else 'empty'}",
            fix="Write the text to be learned, or drop the row.",
        )
