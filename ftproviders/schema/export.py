"""A tuned model as files in a folder of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ftproviders.schema.value import FrozenJson, Value

__all__ = ["ExportFormat", "ExportedModel"]


class ExportFormat(StrEnum):
    """In what form a tuned model is written."""

    ADAPTER = "adapter"
    """What was learned alone, to be put on the base model."""
    MERGED = "merged"
    """A whole model that needs nothing else."""
    GGUF = "gguf"
    """One file for llama.cpp and the programs around it."""


class ExportedModel(Value):
    """What an export left, and how it was checked against the tuned model."""

    provider: str
    format: ExportFormat
    folder: Path
    base_model: str | None = None
    files: Mapping[str, Annotated[int, Field(ge=0)]]
    """Name in `folder` -> bytes."""
    verification: FrozenJson
    """How the exported model was compared with the tuned one, in numbers and with the bounds that
    they had to keep; it also stands in the folder's ``ftproviders.json``."""
