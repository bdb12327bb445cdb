"""What a user states about the columns of a source: which is which, and texts around them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ftproviders.data.shapes import COLUMN_ROLES, Shape
from ftproviders.errors import ConfigurationError

__all__ = ["RowMapping", "RowProblem", "json_text"]

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_TEMPLATED = ("system", "user", "assistant", "prompt", "chosen", "rejected")


class RowProblem(ValueError):  # noqa: N818 - a fault in the data, not an error of the program
    """A row cannot become what was asked for; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class RowMapping:
    """How a row of the source becomes a row of messages or of a preference.

    Raises:
        ConfigurationError: What is stated contradicts itself or is not enough for a row.
    """

    source_shape: Shape | None = None
    """Shape of the rows; None = told from each row's keys."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> column, with the roles of `COLUMN_ROLES`."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Role -> text with ``{column}`` in it; ``{{`` and ``}}`` are braces."""
    system: str | None = None
    """System message for rows that have none."""
    keep: tuple[str, ...] = ()
    """Columns that go into the row as they are, for instance what a grader needs."""

    def __post_init__(self) -> None:
        for role in (*self.columns, *self.templates):
            if role not in COLUMN_ROLES:
                raise ConfigurationError(
                    f"There is no role {role!r} for a column.",
                    hint=f"Roles: {', '.join(COLUMN_ROLES)}.",
                )
        both = self.columns.keys() & self.templates.keys()
        if both:
            role = min(both)
            raise ConfigurationError(
                f"{role!r} has both a column and a template.", hint="State one of the two."
            )
        for role, template in self.templates.items():
            rest = _FIELD.sub("", template)
            if "{" in rest or "}" in rest:
                raise ConfigurationError(
                    f"The template for {role!r} has a brace that opens or closes no {{column}}.",
                    hint="Write {{ and }} for braces that are meant as they stand.",
                )
        for role in self.templates.keys() - set(_TEMPLATED):
            raise ConfigurationError(
                f"{role!r} cannot have a template.", hint="Name its column instead."
            )
        if self.stated:
            self._check_roles()
        elif self.source_shape is Shape.COLUMNS:
            raise ConfigurationError(
                "Rows of columns are what is stated, and not which column is which.",
                hint="For instance: --columns user=question,assistant=answer",
            )

    def _check_roles(self) -> None:
        if self.source_shape not in {None, Shape.COLUMNS}:
            raise ConfigurationError(
                f"Columns are stated, and the shape {self.source_shape} as well.",
                hint="State one of the two.",
            )
        asks = self.has("user") or self.has("prompt")
        if self.has("user") and self.has("prompt"):
            raise ConfigurationError(
                "'user' and 'prompt' mean the same.", hint="State one of them."
            )
        if self.has("chosen") != self.has("rejected"):
            raise ConfigurationError("'chosen' and 'rejected' need each other.", hint="State both.")
        if self.has("chosen") and self.has("assistant"):
            raise ConfigurationError(
                "A row has either 'assistant' or 'chosen' and 'rejected'.", hint="State one kind."
            )
        if not (asks or self.has("messages")):
            raise ConfigurationError(
                "Nothing is stated for the user's messages.",
                hint="For instance: --columns user=question,assistant=answer",
            )
        if self.has("messages") and len(self.columns) + len(self.templates) > 1 + self.has("tools"):
            raise ConfigurationError(
                "'messages' holds every message already.", hint="State nothing beside it but tools."
            )

    @property
    def stated(self) -> bool:
        """Whether columns or templates were stated."""
        return bool(self.columns or self.templates)

    def has(self, role: str) -> bool:
        """Say whether `role` has a column or a template."""
        return role in self.columns or role in self.templates

    @cached_property
    def used(self) -> frozenset[str]:
        """The columns that are read."""
        named = {
            match.group(1)
            for template in self.templates.values()
            for match in _FIELD.finditer(template)
            if match.group(1) is not None
        }
        return frozenset(named | set(self.columns.values()))

    def value(self, role: str, row: Mapping[str, Any]) -> Any:
        """Return what `row` holds for `role`.

        Raises:
            KeyError: A column is not there; its argument is the column's name.
            RowProblem: A template asks for a value that JSON has not.
        """
        if role in self.columns:
            return row[self.columns[role]]
        return _FIELD.sub(lambda match: _fill(match, row), self.templates[role])


def _fill(match: re.Match[str], row: Mapping[str, Any]) -> str:
    name = match.group(1)
    if name is None:
        return match.group()[0]
    value = row[name]
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: object) -> str:
    """Write a value as JSON.

    Raises:
        RowProblem: It holds something that JSON has not: bytes of a Parquet file, an infinity.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise RowProblem(f"a value cannot be written as JSON: {error}") from error
