"""Data files and what was found in them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ftproviders.schema.template import TemplateReport
from ftproviders.schema.value import Value

__all__ = [
    "Dataset",
    "DatasetStatistics",
    "Distribution",
    "Issue",
    "PreparedFile",
    "Severity",
    "TokenCount",
    "ValidationReport",
    "Verdict",
]

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Severity(StrEnum):
    """How bad an issue is: an error stops an upload, a warning and an info do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Dataset(Value):
    """A data file as it was when it was read once, from its first byte to its last."""

    path: Path
    """Where the file was read."""
    sha256: Digest
    """SHA-256 of the source bytes, lower-case hexadecimal."""
    bytes: Annotated[int, Field(ge=0)]
    """Size of the source in bytes."""
    rows: Annotated[int, Field(ge=0)]
    """Lines that hold a row; blank lines are not counted."""


class Issue(Value):
    """One thing found in a file, in words a person can act on."""

    line: Annotated[int, Field(ge=0)]
    """Line number from 1; 0 for an issue of the file as a whole."""
    column: Annotated[int, Field(ge=0)] | None = None
    """Column in characters from 1, where it is known."""
    path: str = ""
    """JSON path inside the row, for instance ``messages[2].content``."""
    rule: str
    """Id of the rule in the rule table, for instance ``message.role``."""
    severity: Severity
    """The worst severity among the providers concerned."""
    providers: tuple[str, ...] = ()
    """Providers for which the rule has this severity; empty = every provider looked at."""
    message: str
    """What is wrong, with the value shortened."""
    fix: str = ""
    """What to change."""


class Verdict(Value):
    """Whether one provider would take the file."""

    ok: bool
    errors: Annotated[int, Field(ge=0)]
    """Number of errors; never capped."""
    warnings: Annotated[int, Field(ge=0)]
    """Number of warnings; never capped."""
    reasons: tuple[str, ...] = ()
    """Ids of the rules that are errors here, in the order of the rule table; never capped."""


class Distribution(Value):
    """How a number is spread over rows."""

    count: Annotated[int, Field(ge=0)]
    """Numbers that were seen."""
    minimum: int
    maximum: int
    mean: float
    median: float
    q05: float
    """A twentieth of the numbers is not greater (linear interpolation between neighbours)."""
    q10: float
    """A tenth is not greater; the OpenAI cookbook prints it under the name p5."""
    q90: float
    """Nine tenths are not greater; the OpenAI cookbook prints it under the name p95."""
    q95: float


class TokenCount(Value):
    """How many tokens the rows hold, and how that was found."""

    total: Annotated[int, Field(ge=0)]
    """Tokens of one pass over the file."""
    exact: bool
    """True only when every row was counted with the model's own tokenizer."""
    method: str
    """How it was counted, for instance ``estimate: UTF-8 bytes / 4``."""
    tokenizer: str | None = None
    """Encoding, or model whose tokenizer counted; None for an estimate by size."""
    low: Annotated[int, Field(ge=0)] | None = None
    """Lower end of the 95 % interval of `total`; None without a sample."""
    high: Annotated[int, Field(ge=0)] | None = None
    """Upper end of the 95 % interval of `total`; None without a sample."""
    sample_rows: Annotated[int, Field(ge=0)] | None = None
    """Rows that were drawn; None without a sample."""
    assistant: Annotated[int, Field(ge=0)] | None = None
    """Tokens of the assistants' words in one pass; None when they were not counted."""
    billable: Annotated[int, Field(ge=0)] | None = None
    """Tokens of one pass, without those of a row beyond `limit`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of a row that the model takes; None = unknown."""
    rows_over_limit: Annotated[int, Field(ge=0)] | None = None
    """Rows with more tokens than `limit`; exact. None = not looked for."""
    per_row: Distribution | None = None
    """Tokens of a row; of a sample, least and greatest are those drawn."""
    assistant_per_row: Distribution | None = None
    """Tokens of the assistant's words in a row."""
    hint: str = ""
    """What would make the count better, when it is an estimate by size."""


class DatasetStatistics(Value):
    """What the rows look like. Counts are exact."""

    rows: int = 0
    messages: int = 0
    messages_by_role: Mapping[str, int] = {}
    characters: int = 0
    """Characters of all message texts."""
    text_bytes: int = 0
    """UTF-8 bytes of all message texts."""
    assistant_characters: int = 0
    """Characters of the assistants' texts."""
    longest_row_bytes: int = 0
    """Size of the longest line in bytes."""
    rows_without_system: int = 0
    """Rows with neither a system nor a developer message."""
    rows_without_user: int = 0
    """Rows with no user message."""
    messages_per_row: Distribution | None = None
    characters_per_row: Distribution | None = None
    """Characters of a row's message texts."""
    characters_by_role: Mapping[str, Distribution] = {}
    """Role -> characters that it says in a row, over the rows in which it speaks."""


class ValidationReport(Value):
    """Everything that one pass over a file found."""

    file: str
    """The file's name as it was given."""
    sha256: Digest | None = None
    """Of the file's bytes; None where the file was only looked at, not made ready to be sent."""
    bytes: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    verdicts: Mapping[str, Verdict]
    """Provider name -> verdict."""
    issues: tuple[Issue, ...]
    """In file order; capped by ``max_issues``, counts in ``verdicts`` are not."""
    issues_truncated: int = 0
    """Issues found beyond those listed."""
    statistics: DatasetStatistics
    tokens: TokenCount
    template: TemplateReport | None = None
    """What the base model's chat template makes of the rows; None where it is not at hand."""

    def ok(self, provider: str) -> bool:
        """Say whether `provider` would take the file."""
        return self.verdicts[provider].ok


class PreparedFile(Value):
    """A local file in the provider's shape, ready to be sent."""

    path: Path
    name: str
    """Name at the provider: ``<stem>.<16 hex of digest>.jsonl``."""
    sha256: Digest
    """SHA-256 of exactly the bytes to be sent."""
    bytes: Annotated[int, Field(ge=0)]
    purpose: str = "training"
    """``training`` or ``validation``."""
