"""What counts in a row, for models whose own template is not known to us: OpenAI's.

The rule is that of the OpenAI cookbook: 3 a message, the tokens of every value, 1 more for a name,
3 a conversation. The cookbook's rows have texts alone; for the rest: parts count by their text,
calls by name and arguments (ids and types do not count), declared tools by their JSON, which the
service writes in a way of its own. Images are not text and are not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from typing_extensions import override

from ftproviders.data.statistics import message_texts
from ftproviders.data.tokens.encodings import load_encoding

__all__ = ["ChatTokenizer", "RowTokenizer", "RowTokens"]

_PER_MESSAGE = 3
_PER_NAME = 1
_PER_CONVERSATION = 3
_OUTPUTS = ("preferred_output", "non_preferred_output", "chosen", "rejected", "completion")
"""Fields of a row that hold answers: messages, or a text."""


class RowTokens(NamedTuple):
    """Tokens of one row."""

    total: int
    assistant: int
    """Tokens of the assistant's words."""


class RowTokenizer(Protocol):
    """What counts the tokens of rows."""

    @property
    def name(self) -> str:
        """The encoding, or the model whose tokenizer it is."""

    @property
    def method(self) -> str:
        """How it counts, in a few words."""

    def row(self, row: object) -> RowTokens:
        """Count a decoded row; what is no row has no tokens."""


class ChatTokenizer(RowTokenizer):
    """Counts as the OpenAI cookbook does.

    Args:
        encoding: ``cl100k_base`` or ``o200k_base``.

    Raises:
        MissingDependencyError: The ranks of the encoding are not installed.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._count = load_encoding(encoding)
        self._roles: dict[str, int] = {}

    @property
    @override
    def name(self) -> str:
        return self._encoding

    @property
    @override
    def method(self) -> str:
        return f"{self._encoding}, counted as in the OpenAI cookbook; images not counted"

    @override
    def row(self, row: object) -> RowTokens:
        if not isinstance(row, dict):
            return RowTokens(0, 0)
        source = row.get("input")
        body = source if isinstance(source, dict) else row
        total, assistant = self._messages(body.get("messages"))
        for field in ("prompt", *_OUTPUTS, "text"):
            spoken, answered = self._part(row.get(field), answer=field in _OUTPUTS)
            total += spoken
            assistant += answered
        if not total:
            return RowTokens(0, 0)
        tools = body.get("tools")
        if isinstance(tools, list) and tools:
            total += self._count(_json(tools))
        return RowTokens(total + _PER_CONVERSATION, assistant)

    def _part(self, value: object, *, answer: bool) -> tuple[int, int]:
        """Count a field that holds messages or a text."""
        if isinstance(value, str):
            size = self._count(value)
            return size, size if answer else 0
        return self._messages(value)

    def _messages(self, messages: object) -> tuple[int, int]:
        total = assistant = 0
        for message in messages if isinstance(messages, list) else ():
            if isinstance(message, dict):
                role = message.get("role")
                texts = self._texts(message_texts(message))
                total += _PER_MESSAGE + texts + self._labels(message, role)
                assistant += texts if role == "assistant" else 0
        return total, assistant

    def _texts(self, texts: Iterable[str]) -> int:
        count = self._count
        return sum(count(text) for text in texts)

    def _labels(self, message: Mapping[str, object], role: object) -> int:
        """Count the role and the name of a message."""
        size = 0
        if isinstance(role, str):
            if role not in self._roles:
                if len(self._roles) > 64:
                    self._roles.clear()
                self._roles[role] = self._count(role)
            size = self._roles[role]
        name = message.get("name")
        return size + self._count(name) + _PER_NAME if isinstance(name, str) else size


def _json(value: object) -> str:
    """Write a value in the shortest JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return ""
