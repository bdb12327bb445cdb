"""How a model of the in-memory server answers: with what the nearest training example says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["answer", "rows"]

_UNTUNED = "I have not been tuned, so I do not know."
_WORD = re.compile(r"\w+")

Row = tuple[str, str]
"""What the user says, what the assistant should say."""


def rows(content: bytes) -> Sequence[Row]:
    """Read the rows that a model can learn: supervised chats and preference pairs."""
    learned: list[Row] = []
    # Only a line feed ends a row; text may hold every other kind of line end.
    for line in content.decode("utf-8-sig", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict):
            continue
        prompt = row.get("input", row)
        messages = prompt.get("messages") if isinstance(prompt, dict) else None
        asked = _last_text(messages, "user")
        told = _last_text(row.get("preferred_output", messages), "assistant")
        if asked is not None and told is not None:
            learned.append((asked, told))
    return learned


def answer(
    learned: Sequence[Row], messages: Sequence[dict[str, Any]], *, max_tokens: int | None
) -> dict[str, Any]:
    """Return a chat reply: what belongs to the learned question with most words in common.

    A word counts as a token. Questions that share no word with any example get the first answer.
    """
    asked = _last_text(messages, "user") or ""
    text = max(learned, key=lambda row: _likeness(asked, row[0]))[1] if learned else _UNTUNED
    words = text.split()
    cut = max_tokens is not None and len(words) > max_tokens
    return {
        "text": " ".join(words[:max_tokens]) if cut else text,
        "finish_reason": "length" if cut else "stop",
        "prompt_tokens": sum(len(str(m.get("content") or "").split()) for m in messages),
        "completion_tokens": len(words[:max_tokens]) if cut else len(words),
    }


def _likeness(one: str, other: str) -> float:
    first, second = _words(one), _words(other)
    return len(first & second) / max(1, len(first | second))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _last_text(messages: Any, role: str) -> str | None:
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == role:
            content = message.get("content")
            if isinstance(content, list):
                parts = [part.get("text", "") for part in content if isinstance(part, dict)]
                content = " ".join(parts)
            if isinstance(content, str):
                return content
    return None
