"""What converting, splitting or repairing a data file did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ftproviders.schema.value import Value

__all__ = [
    "BadRow",
    "ConversionReport",
    "Repair",
    "RepairReport",
    "SplitPart",
    "SplitReport",
]

Count = Annotated[int, Field(ge=0)]


class BadRow(Value):
    """A row that could not be converted, and was left out because the user said so."""

    line: Count
    """Line from 1 on which the row begins; its number from 1 where the source has no lines."""
    message: str


class ConversionReport(Value):
    """What one conversion read and wrote."""

    source: str
    """The source as it was given; the type's name for an object in memory."""
    out: str
    """The file that was written; ``-`` for standard output."""
    read_as: str
    """What the source was taken for, for instance ``gzip, Windows-1252 (a guess), CSV``."""
    shapes: Mapping[str, int]
    """Shape of the source's rows -> how many had it."""
    target: str
    """Shape of the rows that were written."""
    rows: Count
    """Rows written."""
    bad_rows: Count = 0
    """Rows left out with ``skip_bad``; never capped."""
    bad: tuple[BadRow, ...] = ()
    """The first of them."""
    left_out: tuple[str, ...] = ()
    """Columns of the source, and keys of its rows, that nothing was taken from."""


class SplitPart(Value):
    """One of the files that a split wrote."""

    name: str
    """``train``, ``validation`` or ``test``."""
    file: Path
    rows: Count
    wanted: Count | None = None
    """Rows asked for; differs from `rows` where rows had to stay together. None for the rest."""


class SplitReport(Value):
    """What a split read and wrote, and whether anything leaked."""

    source: str
    rows: Count
    groups: Count
    """Different groups; without ``group_by`` different rows."""
    group_by: str
    seed: int
    parts: tuple[SplitPart, ...]
    shared_prompts: Count
    """Prompts that stand in the training file and in another: what is learnt is then asked."""


class Repair(Value):
    """One repair of one place."""

    line: Count
    """Line of the *source*; 0 for the file as a whole."""
    rule: str
    """Rule of the rule table that was broken, or ``encoding``."""
    path: str = ""
    what: str
    """What was done."""


class RepairReport(Value):
    """Everything that a repair changed."""

    source: str
    out: str
    rows: Count
    """Rows read, and rows written: a repair never drops one."""
    changed_rows: Count
    """Rows whose text differs from the source."""
    repairs: tuple[Repair, ...]
    """The first of them, in file order."""
    repairs_truncated: Count = 0
    counts: Mapping[str, int]
    """Rule -> repairs; never capped."""
