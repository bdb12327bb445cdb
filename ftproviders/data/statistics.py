"""Counts of what the rows hold, taken in the same pass as validation; sums that can be added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftproviders.data.histogram import Histogram
from ftproviders.schema.chat import Role
from ftproviders.schema.dataset import DatasetStatistics, TokenCount

__all__ = [
    "BYTES_PER_TOKEN",
    "SYSTEM_ROLES",
    "Tally",
    "estimate_tokens",
    "message_text",
    "message_texts",
    "tally_row",
    "texts_of_row",
]

BYTES_PER_TOKEN = 4
"""Rule of thumb for English text and the common BPE vocabularies; an estimate, no more."""


@dataclass(slots=True)
class Tally:
    """Running sums over rows. Texts are contents, refusals, and names and arguments of calls."""

    rows: int = 0
    by_role: dict[str, int] = field(default_factory=dict)
    text_bytes: int = 0
    longest_row_bytes: int = 0
    image_rows: int = 0
    """Rows with images."""

    rows_without_system: int = 0
    rows_without_user: int = 0
    messages_per_row: Histogram = field(default_factory=Histogram)
    characters_per_row: Histogram = field(default_factory=Histogram)
    characters_by_role: dict[str, Histogram] = field(default_factory=dict)

    def of_role(self, role: str) -> Histogram:
        """Return the histogram of what `role` says in a row, in characters."""
        return self.characters_by_role.setdefault(role, Histogram())

    def merge(self, other: Tally) -> None:
        """Add the sums of another part of the same file."""
        self.rows += other.rows
        for role, count in other.by_role.items():
            self.by_role[role] = self.by_role.get(role, 0) + count
        self.text_bytes += other.text_bytes
        self.longest_row_bytes = max(self.longest_row_bytes, other.longest_row_bytes)
        self.image_rows += other.image_rows
        self.rows_without_system += other.rows_without_system
        self.rows_without_user += other.rows_without_user
        self.messages_per_row.merge(other.messages_per_row)
        self.characters_per_row.merge(other.characters_per_row)
        for role, histogram in other.characters_by_role.items():
            self.of_role(role).merge(histogram)

    def to_statistics(self) -> DatasetStatistics:
        """Return the sums as a value."""
        answers = self.characters_by_role.get(Role.ASSISTANT.value)
        return DatasetStatistics(
            rows=self.rows,
            messages=sum(self.by_role.values()),
            messages_by_role=dict(sorted(self.by_role.items())),
            characters=self.characters_per_row.total,
            text_bytes=self.text_bytes,
            assistant_characters=answers.total if answers else 0,
            longest_row_bytes=self.longest_row_bytes,
            rows_without_system=self.rows_without_system,
            rows_without_user=self.rows_without_user,
            messages_per_row=self.messages_per_row.distribution(),
            characters_per_row=self.characters_per_row.distribution(),
            characters_by_role={
                role: distribution
                for role, histogram in sorted(self.characters_by_role.items())
                if (distribution := histogram.distribution())
            },
        )


def tally_row(row: object, tally: Tally, texts: Sequence[str] = ()) -> tuple[list[str], list[int]]:
    """Count the texts of a decoded row; what is not a message of a known role is left out.

    Args:
        row: The decoded row.
        tally: Where the texts are counted.
        texts: The text of each message, from `texts_of_row`.

    Returns:
        Role and characters of each message, which are not counted here.
    """
    messages = row.get("messages") if isinstance(row, dict) else None
    roles: list[str] = []
    sizes: list[int] = []
    for message, text in zip(messages, texts, strict=True) if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if isinstance(role, str) and role in _ROLES:
            roles.append(role)
            sizes.append(len(text))
            tally.text_bytes += _size(text)
    if roles:
        tally.image_rows += has_image(messages)
    elif isinstance(row, dict) and messages is None:
        tally.text_bytes += sum(_size(text) for text in _other_texts(row))
        tally.image_rows += any(has_image(part) for part in _parts(row))
        for role, text in _said(row):
            roles.append(role)
            sizes.append(len(text))
    return roles, sizes


def texts_of_row(row: object) -> list[str]:
    """Return the text of each message of a decoded row, empty for what is no message."""
    messages = row.get("messages") if isinstance(row, dict) else None
    return [
        message_text(message) if isinstance(message, dict) else ""
        for message in (messages if isinstance(messages, list) else ())
    ]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _other_texts(row: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a row without messages as a model reads them: each answer with its prompt.

    Who says what is another matter, see `_said`.
    """
    asked, *answers = _parts(row)
    for one in (*[asked] * max(len(answers), 1), *answers, row.get("text")):
        if isinstance(one, str):
            yield one
        for message in one if isinstance(one, list) else ():
            if isinstance(message, dict):
                yield from message_texts(message)


def _parts(row: dict[str, Any]) -> list[Any]:
    """Return what is asked in a row without messages, and its answers: messages, or texts."""
    asked = row.get("input")
    asked = asked.get("messages") if isinstance(asked, dict) else row.get("prompt")
    return [asked, *(row[name] for name in _ANSWERS if name in row)]


def _said(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield who says what in a row without messages, each text once, as it stands there."""
    asked, *answers = _parts(row)
    spoken = [(Role.USER.value, asked), *((Role.ASSISTANT.value, answer) for answer in answers)]
    for speaker, part in spoken:
        if isinstance(part, str):
            yield speaker, part
        for message in part if isinstance(part, list) else ():
            role = message.get("role") if isinstance(message, dict) else None
            if isinstance(role, str) and role in _ROLES:
                yield role, message_text(message)


_ANSWERS = ("preferred_output", "non_preferred_output", "chosen", "rejected", "completion")


def has_image(messages: object) -> bool:
    """Say whether any of the messages shows an image."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") == "image_url":
                return True
    return False


SYSTEM_ROLES = frozenset({Role.SYSTEM.value, Role.DEVELOPER.value})
"""Roles that give instructions; newer models call the first one the second."""

_ROLES = frozenset(role.value for role in Role)


def message_text(message: dict[str, Any]) -> str:
    """Return the texts of a message, joined; for most messages that is its content as it is."""
    content = message.get("content")
    if isinstance(content, str) and (
        (len(message) == 2 and "role" in message) or _MORE_TEXT.isdisjoint(message)
    ):
        return content
    return "".join(message_texts(message))


_MORE_TEXT = frozenset({"refusal", "tool_calls", "function_call"})


def message_texts(message: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a message: contents, refusals, and names and arguments of calls."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            yield from _strings(part, ("text", "refusal"))
    yield from _strings(message, ("refusal",))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield from _strings(function, ("name", "arguments"))
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        yield from _strings(legacy, ("name", "arguments"))


def _strings(item: dict[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value = item.get(key)
        if isinstance(value, str):
            yield value


def estimate_tokens(statistics: DatasetStatistics) -> TokenCount:
    """Estimate the tokens of one pass over the file from the size of its texts."""
    return TokenCount(
        total=-(-statistics.text_bytes // BYTES_PER_TOKEN),
        exact=False,
        method=f"estimate: UTF-8 bytes of message texts / {BYTES_PER_TOKEN}",
    )
