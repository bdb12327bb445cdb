"""Rows of system, developer, user and assistant messages with text alone: most rows there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from ftproviders.data.fast.sums import is_clean, size_in_bytes
from ftproviders.data.keys import key_of_texts
from ftproviders.data.statistics import SYSTEM_ROLES, Tally

__all__ = ["Pattern", "Patterns", "PlainRows"]

_REMEMBERED_PATTERNS = 1024


class _System(Struct, forbid_unknown_fields=True, tag_field="role", tag="system"):
    content: str


class _Developer(Struct, forbid_unknown_fields=True, tag_field="role", tag="developer"):
    content: str


class _User(Struct, forbid_unknown_fields=True, tag_field="role", tag="user"):
    content: str


class _Assistant(Struct, forbid_unknown_fields=True, tag_field="role", tag="assistant"):
    content: str


_Message: TypeAlias = _System | _Developer | _User | _Assistant


class _Row(Struct, forbid_unknown_fields=True):
    messages: Annotated[list[_Message], Meta(min_length=1)]


class Pattern:
    """Who speaks when: the same in very many rows, so it is worked out once.

    Attributes:
        good: True when nothing is wrong with the order.
        answers: Indexes of the assistant's messages.
        quotes: Quotes that a row of this pattern has.
        sizes: Characters of the messages of all rows accepted since the last time somebody asked,
            message after message.
    """

    __slots__ = ("answers", "good", "quotes", "roles", "sizes")

    def __init__(self, roles: Sequence[str]) -> None:
        self.answers = [index for index, role in enumerate(roles) if role == "assistant"]
        consecutive = any(b - a == 1 for a, b in zip(self.answers, self.answers[1:], strict=False))
        self.good = roles[-1] == "assistant" and not consecutive
        self.quotes = 2 + 8 * len(roles)
        self.roles = list(roles)
        self.sizes: list[int] = []

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        width = len(self.roles)
        columns = [self.sizes[index::width] for index in range(width)]
        totals = list(map(sum, zip(*columns, strict=True)))
        rows = len(totals)
        self.sizes = []
        tally.characters_per_row.add(totals)
        tally.messages_per_row.add_one(len(self.roles), times=rows)
        tally.characters += sum(totals)
        for role in dict.fromkeys(self.roles):
            own = [columns[i] for i, name in enumerate(self.roles) if name == role]
            said = own[0] if len(own) == 1 else list(map(sum, zip(*own, strict=True)))
            tally.of_role(role).add(said)
            tally.by_role[role] = tally.by_role.get(role, 0) + rows * len(own)
            if role == "assistant":
                tally.assistant_characters += sum(said)
        tally.rows_without_system += 0 if SYSTEM_ROLES & set(self.roles) else rows
        tally.rows_without_user += 0 if "user" in self.roles else rows


class Patterns:
    """The orders of roles met so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Pattern] = {}
        self._forgotten: list[Pattern] = []

    def of(self, roles: tuple[str, ...]) -> Pattern:
        """Return what is known about an order of roles."""
        found = self._known.get(roles)
        if found is None:
            if len(self._known) >= _REMEMBERED_PATTERNS:
                self._forgotten.extend(self._known.values())
                self._known.clear()
            found = self._known[roles] = Pattern(roles)
        return found

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        for pattern in (*self._forgotten, *self._known.values()):
            if pattern.sizes:
                pattern.drain(tally)
        self._forgotten.clear()


class PlainRows:
    """Accepts plain rows and adds them up."""

    def __init__(self, patterns: Patterns) -> None:
        self._decode = msgspec.json.Decoder(_Row).decode
        self._patterns = patterns
        self._text_bytes = 0
        self.key = 0
        """Key of the last row accepted."""

    def accept(self, line: bytes, quotes: int) -> bool:
        """Accept a row, or return False when it is for the judge.

        Raises:
            msgspec.MsgspecError: The row is not a plain one.
            UnicodeDecodeError: The row is not UTF-8.
        """
        messages = self._decode(line).messages
        pattern = self._patterns.of(tuple([_ROLES[type(message)] for message in messages]))
        if not pattern.good or quotes != pattern.quotes:
            return False
        texts = [message.content for message in messages]
        for index in pattern.answers:
            answer = texts[index]
            if not answer or answer.isspace():
                return False
        # A token or pair that only begins where two texts meet is left to the judge as well.
        joined = "".join(texts)
        if not is_clean(joined):
            return False
        self._text_bytes += size_in_bytes(joined)
        self.key = key_of_texts("".join(texts[:-1]), texts[-1])
        pattern.sizes += map(len, texts)
        return True

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        tally.text_bytes += self._text_bytes
        self._text_bytes = 0


_ROLES: Mapping[type, str] = {
    _System: "system",
    _Developer: "developer",
    _User: "user",
    _Assistant: "assistant",
}
