"""Who speaks when, and how much: rows are counted by the order of their roles.

The order is the same in very many rows, so it is judged once, and what the messages add up to is
worked out for thousands of rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add

from ftproviders.data.statistics import SYSTEM_ROLES, Tally

__all__ = ["Pattern", "Patterns"]

_REMEMBERED = 1024
_MOST_WAITING = 200_000  # messages that are kept before they are added up


class Pattern:
    """One order of roles.

    Attributes:
        good: True when nothing is wrong with the order.
        answers: Indexes of the assistant's messages.
        roles: Role of each message.
        sizes: Characters of the messages of all rows counted since the last time somebody asked,
            message after message.
    """

    __slots__ = ("answers", "good", "roles", "sizes")

    def __init__(self, roles: Sequence[str]) -> None:
        self.answers = [index for index, role in enumerate(roles) if role == "assistant"]
        consecutive = any(b - a == 1 for a, b in zip(self.answers, self.answers[1:], strict=False))
        self.good = roles[-1] == "assistant" and not consecutive
        self.roles = list(roles)
        self.sizes: list[int] = []

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        width = len(self.roles)
        columns = [self.sizes[index::width] for index in range(width)]
        rows = len(columns[0])
        self.sizes = []
        totals = _sums(columns)
        tally.characters_per_row.add(totals)
        tally.messages_per_row.add_one(width, times=rows)
        for role in dict.fromkeys(self.roles):
            own = [columns[i] for i, name in enumerate(self.roles) if name == role]
            tally.of_role(role).add(_sums(own))
            tally.by_role[role] = tally.by_role.get(role, 0) + rows * len(own)
        tally.rows_without_system += 0 if SYSTEM_ROLES & set(self.roles) else rows
        tally.rows_without_user += 0 if "user" in self.roles else rows


def _sums(columns: Sequence[list[int]]) -> list[int]:
    """Add columns up, row by row."""
    sums = columns[0]
    for column in columns[1:]:
        sums = list(map(add, sums, column))
    return sums


class Patterns:
    """The orders of roles met so far, and what waits to be added up."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Pattern] = {}
        self._by_types: dict[tuple[type, ...], Pattern] = {}

    def of(self, roles: tuple[str, ...]) -> Pattern:
        """Return what is known about an order of roles, of which there is at least one."""
        found = self._known.get(roles)
        if found is None:
            found = self._known[roles] = Pattern(roles)
        return found

    def of_types(self, types: tuple[type, ...], names: Mapping[type, str]) -> Pattern:
        """Return the same for the types of messages, of which `names` has the roles."""
        found = self._by_types.get(types)
        if found is None:
            found = self._by_types[types] = self.of(tuple([names[one] for one in types]))
        return found

    @property
    def full(self) -> bool:
        """Whether so much waits that it is time to drain."""
        waiting = sum(len(pattern.sizes) for pattern in self._known.values())
        return waiting > _MOST_WAITING or len(self._known) > 2 * _REMEMBERED

    def drain(self, tally: Tally) -> None:
        """Add what was counted since the last time to `tally`."""
        for pattern in self._known.values():
            if pattern.sizes:
                pattern.drain(tally)
        if len(self._known) > _REMEMBERED:
            self._known.clear()
            self._by_types.clear()
