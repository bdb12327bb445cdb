"""What a tuned model of the in-memory provider is as files: the answers that it knows by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftproviders.errors import ConfigurationError, UnexpectedResponseError
from ftproviders.schema.export import ExportFormat
from ftproviders.schema.job import TunedModel
from ftproviders.testing.memory import recall

__all__ = ["CARD", "refuse_form", "write_model"]

CARD = "ftproviders.json"


def refuse_form(form: ExportFormat, weights: str | None) -> None:
    """Refuse what a model without weights cannot be written as.

    Raises:
        ConfigurationError: The form, or a number format.
    """
    if form is ExportFormat.GGUF or weights is not None:
        raise ConfigurationError(
            "A model of memory has no weights, so there is nothing to write in a number format.",
            provider="memory",
            operation="export",
            hint="Export it as adapter or merged.",
        )


def write_model(
    draft: Path, answer: Mapping[str, Any], *, model: TunedModel, form: ExportFormat, reply: str
) -> dict[str, Any]:
    """Write a model and read it back.

    Args:
        draft: Folder to write in.
        answer: What the server tells of the model: ``base_model`` and ``rows``.
        model: The model.
        form: An adapter has the rows alone; a merged model the name of its base too.
        reply: What the server says to the first question that was learned.

    Returns:
        How it was checked.

    Raises:
        UnexpectedResponseError: What was written does not answer so.
    """
    whole = {"base_model": answer["base_model"]} if form is ExportFormat.MERGED else {}
    file = draft / "answers.json"
    file.write_text(json.dumps({**whole, "rows": answer["rows"]}, indent=1), encoding="utf-8")
    read = [(asked, told) for asked, told in json.loads(file.read_text("utf-8"))["rows"]]
    said = recall.answer(read, first_question(read), max_tokens=None)["text"]
    if said != reply:
        raise UnexpectedResponseError(
            f"The exported model answers {said!r} where {model.name} answers {reply!r}.",
            provider="memory",
            operation="export",
            hint="Nothing was kept. Report it: this must not happen.",
        )
    verification = {"question": read[0][0] if read else "", "answer": said, "equal": True}
    card = {"model": model.name, "base_model": answer["base_model"], "format": form.value}
    card["verification"] = verification
    (draft / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return verification


def first_question(rows: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Return the conversation that an export is checked with."""
    return [{"role": "user", "content": rows[0][0] if rows else "Hello?"}]
