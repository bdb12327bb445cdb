"""Integers of any length: Python's decoder refuses those of more than some thousand digits.

JSON sets no limit, so a row that has one is a row. Whatever reads rows once more, after they were
looked at, has to read them as well.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["COMPARABLE", "LENIENT", "to_number"]


def to_number(digits: str) -> int | float:
    """Read an integer; absurdly long ones lose precision instead of raising."""
    try:
        return int(digits)
    except ValueError:
        return float("inf")


LENIENT: json.JSONDecoder = json.JSONDecoder(parse_int=to_number)
"""Reads what `json.loads` reads, and integers of any length."""


def _as_it_stands(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:
        return f"\0{digits}"  # no text of a good row begins so


COMPARABLE: json.JSONDecoder = json.JSONDecoder(parse_int=_as_it_stands)
"""The same, but different integers stay different, however long."""
