"""Rows of system, developer, user and assistant messages with text alone: most rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from ftproviders.data.fast.sums import is_clean, size_in_bytes
from ftproviders.data.statistics import Tally

__all__ = ["PlainRows"]

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


class _Pattern:
    """Who speaks when: the same in very many rows, so it is worked out once.

    Attributes:
        good: True when nothing is wrong with the order.
        answers: Indexes of the assistant's messages.
        quotes: Quotes that a row of this pattern has.
        seen: Rows accepted since the last time somebody asked.
    """

    __slots__ = ("answers", "good", "quotes", "roles", "seen")

    def __init__(self, kinds: Sequence[type[Struct]]) -> None:
        self.answers = [index for index, kind in enumerate(kinds) if kind is _Assistant]
        consecutive = any(b - a == 1 for a, b in zip(self.answers, self.answers[1:], strict=False))
        self.good = kinds[-1] is _Assistant and not consecutive
        self.quotes = 2 + 8 * len(kinds)
        self.roles = [str(kind.__struct_config__.tag) for kind in kinds]
        self.seen = 0


class PlainRows:
    """Accepts plain rows and adds them up."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_Row).decode
        self._patterns: dict[tuple[type[_Message], ...], _Pattern] = {}
        self._forgotten: list[_Pattern] = []
        self._characters = 0
        self._answer_characters = 0
        self._text_bytes = 0

    def accept(self, line: bytes, quotes: int) -> bool:
        """Accept a row, or return False when it is for the judge.

        Raises:
            msgspec.MsgspecError: The row is not a plain one.
            UnicodeDecodeError: The row is not UTF-8.
        """
        messages = self._decode(line).messages
        kinds = tuple(map(type, messages))
        pattern = self._patterns.get(kinds) or self._learn(kinds)
        if not pattern.good or quotes != pattern.quotes:
            return False
        texts = [message.content for message in messages]
        answer_characters = 0
        for index in pattern.answers:
            answer = texts[index]
            if not answer or answer.isspace():
                return False
            answer_characters += len(answer)
        # A token or pair that only begins where two texts meet is left to the judge as well.
        joined = "".join(texts)
        if not is_clean(joined):
            return False
        self._characters += len(joined)
        self._answer_characters += answer_characters
        self._text_bytes += size_in_bytes(joined)
        pattern.seen += 1
        return True

    def _learn(self, kinds: tuple[type[_Message], ...]) -> _Pattern:
        if len(self._patterns) >= _REMEMBERED_PATTERNS:
            self._forgotten.extend(self._patterns.values())
            self._patterns.clear()
        return self._patterns.setdefault(kinds, _Pattern(kinds))

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        tally.characters += self._characters
        tally.assistant_characters += self._answer_characters
        tally.text_bytes += self._text_bytes
        self._characters = self._answer_characters = self._text_bytes = 0
        for pattern in (*self._forgotten, *self._patterns.values()):
            if pattern.seen:
                for role in pattern.roles:
                    tally.by_role[role] = tally.by_role.get(role, 0) + pattern.seen
                pattern.seen = 0
        self._forgotten.clear()
