"""OpenAI's byte pair encodings: which model has which, and the library that knows their ranks.

The ranks come with ``quicktok-v1`` (MIT; the ranks are tiktoken's, MIT), so nothing is downloaded.
Its counts equal tiktoken's, but for characters that Unicode got after its tables were made.
"""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from ftproviders.errors import MissingDependencyError

__all__ = ["INSTALL", "Counter", "default_epochs", "encoding_of", "is_installed", "load_encoding"]

INSTALL = "pip install 'ftproviders[tokens]'"
"""What brings the ranks of the encodings."""

Counter = Callable[[str], int]
"""Returns the tokens of a text; control tokens in it count as ordinary text."""

_MODULE = "quicktok"


@cache
def _table() -> Sequence[Mapping[str, Any]]:
    text = files("ftproviders.data.tokens").joinpath("encodings.toml").read_text(encoding="utf-8")
    rows: list[Mapping[str, Any]] = tomllib.loads(text)["encoding"]
    return rows


def encoding_of(model: str) -> str | None:
    """Return the name of a model's encoding, or None when the table does not know the model.

    Args:
        model: A base model, or one that was tuned from it (``ft:gpt-4o-mini-2024-07-18:org::id``).
    """
    name = model.strip().lower()
    if name.startswith("ft:"):
        name = name.removeprefix("ft:").partition(":")[0]
    for row in _table():
        if any(fnmatchcase(name, pattern) for pattern in row["models"]):
            return str(row["name"])
    return None


def is_installed() -> bool:
    """Say whether the library with the ranks is there, without importing it."""
    return importlib.util.find_spec(_MODULE) is not None


@cache
def load_encoding(name: str) -> Counter:
    """Return a counter for an encoding. It raises for text with lone surrogates.

    Args:
        name: ``cl100k_base`` or ``o200k_base``.

    Raises:
        MissingDependencyError: The library with the ranks is not installed.
    """
    if not is_installed():
        raise MissingDependencyError(
            f"The ranks of {name} come with the package quicktok-v1, which is not installed.",
            operation="count tokens",
            hint=f"Install it: {INSTALL}",
        )
    count: Counter = importlib.import_module(_MODULE).get_encoding(name).count
    return count


def default_epochs(rows: int) -> int:
    """Return how many epochs a file of so many rows gets when nobody says.

    Source: OpenAI cookbook, data preparation and analysis for chat model fine-tuning: 3, but
    between 100 and 25,000 rows in all, and between 1 and 25 epochs.
    """
    if rows <= 0:
        return 0
    if rows * 3 < 100:
        return min(25, 100 // rows)
    if rows * 3 > 25_000:
        return max(1, 25_000 // rows)
    return 3
