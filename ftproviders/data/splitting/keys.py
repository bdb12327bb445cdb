"""What keeps rows together: a number for each row that only its content and the seed decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, TypeAlias

from ftproviders.errors import ConfigurationError

__all__ = ["MissingFieldError", "RowKey", "prompt_hash", "row_key"]

RowKey: TypeAlias = Callable[[Any], int]


class MissingFieldError(ValueError):
    """A row lacks the field that rows are grouped by."""


def _hash(value: object, salt: bytes) -> int:
    """Hash a JSON value to 64 bits; the order of keys does not count."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=salt).digest(), "big")


def row_key(group_by: str | None, seed: int) -> RowKey:
    """Return the function that numbers rows: equal numbers stay together.

    Args:
        group_by: None = the whole row; ``prompt`` = what stands before the answer, unless rows
            have a text field of that name; else a field, with dots into objects.
        seed: Another seed is another order.

    Raises:
        ConfigurationError: The field's name is empty.
    """
    salt = seed.to_bytes(16, "big", signed=True)
    if group_by is None:
        return lambda row: _hash(row, salt)
    if group_by == "prompt":
        return lambda row: _hash(_prompt(row), salt)
    steps = group_by.split(".")
    if not all(steps):
        raise ConfigurationError(
            f"{group_by!r} is no field of a row.",
            hint="Name a key of the rows, or prompt; for instance --group-by metadata.user",
        )
    return lambda row: _hash(_field(row, steps, group_by), salt)


def prompt_hash(row: Any) -> int:
    """Hash what the row asks, without the answer."""
    return _hash(_prompt(row), b"prompt")


def _prompt(row: Any) -> object:
    """Return what stands before the answer that is trained on."""
    if not isinstance(row, Mapping):
        return row
    if isinstance(row.get("messages"), list):
        return _before_answer(row["messages"])
    if isinstance(row.get("input"), Mapping):
        return _before_answer(row["input"].get("messages"))
    return row.get("prompt", row)


def _before_answer(messages: Any) -> object:
    """Return the messages up to the last answer; all of them when there is none."""
    if not isinstance(messages, list):
        return messages
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            return messages[:index]
    return messages


def _field(row: Any, steps: list[str], name: str) -> object:
    value = row
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            raise MissingFieldError(f"the row has no {name!r}")
        value = value[step]
    return value
