"""What a base model's chat template makes of rows, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ftproviders.schema.value import Value

__all__ = ["RenderedRow", "TemplateReport", "Treatment"]

Count = Annotated[int, Field(ge=0)]

Treatment = Literal["kept", "dropped", "refused"]
"""What a template does with a kind of message."""


class RenderedRow(Value):
    """A row as the model will read it."""

    line: Count
    """Line number from 1."""
    text: str
    """What the template writes, shortened where it is long; secrets are masked."""
    tokens: Count
    learned_tokens: Count
    """Tokens that take part in the loss: the assistant's words."""
    answer: Literal["preferred", "rejected"] | None = None
    """Which of its two answers is read; None for a row that is no preference row."""


class TemplateReport(Value):
    """What the base model's tokenizer and chat template make of a file."""

    model: str
    """As it was named."""
    template: str
    """Where the chat template comes from: a file of the model, the user, or this package."""
    marked: bool
    """True when the template marks what the assistant says; else it is found by comparing."""
    treatments: Mapping[str, Treatment]
    """Kind of message or row -> what the template does with it, tried on made-up conversations:
    system, developer, tools, tool answers, two user or two assistant messages in a row."""
    kinds: tuple[str, ...] = ()
    """Which of these the rows that were rendered have."""
    opens_answers: bool = True
    """False when it does not write what stands before an answer where one is asked for."""
    ends_answers: bool = True
    """False when nothing is learned after an answer that would end it."""
    rows: Count
    """Rows that were rendered."""
    complete: bool
    """True when that is all rows; else the first ones."""
    refused: Count = 0
    """Rows that the template refuses."""
    dropped: Count = 0
    """Rows of which it leaves something out."""
    rewritten: Count = 0
    """Rows in which it writes earlier messages differently when one is added."""
    masked: Count = 0
    """Rows without any token to learn from."""
    truncated: Count = 0
    """Rows of which a part is cut off, though not all answers."""
    too_long: Count = 0
    """Rows with more tokens than `max_length_tokens`, whatever is cut off; exact."""
    max_length_tokens: int | None = None
    """Longest row of the training; None = not known."""
    first_rows: tuple[RenderedRow, ...] = ()
    """The first rows; a preference row stands twice, once with each answer."""
