"""Counts of what the rows hold, taken in the same pass as validation; sums that can be added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ftproviders.schema.chat import Role
from ftproviders.schema.dataset import DatasetStatistics, TokenCount

__all__ = ["BYTES_PER_TOKEN", "Tally", "estimate_tokens", "tally_row"]

BYTES_PER_TOKEN = 4
"""Rule of thumb for English text and the common BPE vocabularies; an estimate, no more."""


@dataclass(slots=True)
class Tally:
    """Running sums over rows. Texts are contents, refusals, and names and arguments of calls."""

    rows: int = 0
    by_role: dict[str, int] = field(default_factory=dict)
    characters: int = 0
    text_bytes: int = 0
    assistant_characters: int = 0
    longest_row_bytes: int = 0

    def add_message(self, role: str, characters: int, text_bytes: int) -> None:
        """Count one message with the size of all its texts."""
        self.by_role[role] = self.by_role.get(role, 0) + 1
        self.characters += characters
        self.text_bytes += text_bytes
        if role == Role.ASSISTANT:
            self.assistant_characters += characters

    def merge(self, other: Tally) -> None:
        """Add the sums of another part of the same file."""
        self.rows += other.rows
        for role, count in other.by_role.items():
            self.by_role[role] = self.by_role.get(role, 0) + count
        self.characters += other.characters
        self.text_bytes += other.text_bytes
        self.assistant_characters += other.assistant_characters
        self.longest_row_bytes = max(self.longest_row_bytes, other.longest_row_bytes)

    def to_statistics(self) -> DatasetStatistics:
        """Return the sums as a value."""
        return DatasetStatistics(
            rows=self.rows,
            messages=sum(self.by_role.values()),
            messages_by_role=dict(sorted(self.by_role.items())),
            characters=self.characters,
            text_bytes=self.text_bytes,
            assistant_characters=self.assistant_characters,
            longest_row_bytes=self.longest_row_bytes,
        )


def tally_row(row: object, tally: Tally) -> None:
    """Count the messages of a decoded row; what is not a message of a known role is left out."""
    messages = row.get("messages") if isinstance(row, dict) else None
    for message in messages if isinstance(messages, list) else ():
        role = message.get("role") if isinstance(message, dict) else None
        if isinstance(role, str) and role in _ROLES:
            characters = text_bytes = 0
            for text in _texts(message):
                characters += len(text)
                text_bytes += len(text.encode("utf-8", "surrogatepass"))
            tally.add_message(role, characters, text_bytes)


_ROLES = frozenset(Role)


def _texts(message: dict[str, Any]) -> Iterator[str]:
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
