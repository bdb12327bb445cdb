"""What counts in a row, for models whose own template is not known to us: OpenAI's.

The rule is that of the OpenAI cookbook: 3 a message, the tokens of every value, 1 more for a name,
3 a conversation. The cookbook's rows have texts alone; for the rest: parts count by their text,
calls by name and arguments (ids and types do not count), declared tools by their JSON, which the
service writes in a way of its own. Images are not text and are not counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from typing_extensions import override

from ftproviders.data.statistics import message_texts
from ftproviders.data.tokens.encodings import Counter, load_encoding

__all__ = ["ChatTokenizer", "RowTokenizer", "RowTokens"]

_PER_MESSAGE = 3
_PER_NAME = 1
_PER_CONVERSATION = 3
_OUTPUTS = ("preferred_output", "non_preferred_output", "chosen", "rejected", "completion")
"""Fields of a row that hold answers: messages, or a text."""
_FIELDS = ("prompt", *_OUTPUTS, "text")
_REMEMBERED_ROLES = 64


class RowTokens(NamedTuple):
    """Tokens of one row."""

    total: int
    assistant: int
    """Tokens of the assistant's words."""
    sequences: tuple[int, ...] = ()
    """Tokens of each text that the row is read as; empty = one, of `total` tokens."""

    def within(self, limit: int | None) -> int:
        """Return the tokens that are left when each text is cut at `limit` tokens."""
        if limit is None:
            return self.total
        return sum(min(size, limit) for size in self.sequences or (self.total,))

    def exceeds(self, limit: int | None) -> bool:
        """Say whether a text of the row is longer than `limit` tokens."""
        return limit is not None and max(self.sequences or (self.total,)) > limit


class RowTokenizer(Protocol):
    """What counts the tokens of rows."""

    @property
    def name(self) -> str:
        """The encoding, or the model whose tokenizer it is."""
        ...

    @property
    def method(self) -> str:
        """How it counts, in a few words."""
        ...

    def row(self, row: object) -> RowTokens:
        """Count a decoded row; what is no row has no tokens."""
        ...


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
        try:
            return self._row(row, self._count)
        except (UnicodeEncodeError, TypeError):  # lone surrogates, which a rule refuses anyway
            return self._row(row, lambda text: self._count(_valid(text)))

    def _row(self, row: Mapping[str, Any], count: Counter) -> RowTokens:
        source = row.get("input")
        body = source if isinstance(source, dict) else row
        total, assistant = self._messages(body.get("messages"), count)
        for field in _FIELDS if len(row) > 1 or not total else ():
            value = row.get(field)
            if value is not None:
                answer = field in _OUTPUTS
                spoken, answered = self._part(value, count, answer=answer)
                total += spoken
                assistant += answered
        if not total:
            return RowTokens(0, 0)
        tools = body.get("tools")
        if isinstance(tools, list) and tools:
            total += count(_json(tools))
        return RowTokens(total + _PER_CONVERSATION, assistant)

    def _part(self, value: object, count: Counter, *, answer: bool) -> tuple[int, int]:
        """Count a field that holds messages or a text."""
        if isinstance(value, str):
            size = count(value)
            return size, size if answer else 0
        return self._messages(value, count)

    def _messages(self, messages: object, count: Counter) -> tuple[int, int]:
        total = assistant = 0
        for message in messages if isinstance(messages, list) else ():
            if not isinstance(message, dict):
                continue
            role = message.get("role")
            content = message.get("content")
            if len(message) == 2 and isinstance(content, str):  # nearly all messages
                texts = count(content)
            else:
                texts = sum(map(count, message_texts(message)))
                name = message.get("name")
                total += count(name) + _PER_NAME if isinstance(name, str) else 0
            total += _PER_MESSAGE + texts
            if isinstance(role, str):
                total += self._role(role, count)
                if role == "assistant":
                    assistant += texts
        return total, assistant

    def _role(self, role: str, count: Counter) -> int:
        """Count a role; there are few, so they are remembered."""
        size = self._roles.get(role)
        if size is None:
            if len(self._roles) > _REMEMBERED_ROLES:
                self._roles.clear()
            size = self._roles[role] = count(role)
        return size


def _valid(text: str) -> str:
    """Replace lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _json(value: object) -> str:
    """Write a value in the shortest JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return ""
