"""The first row of a job as the model will read it, for the plan. No torch.

Shown only when the model's tokenizer is on this machine already: nothing is fetched for a plan.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftproviders.data.secrets import mask
from ftproviders.data.template import (
    ChatTemplate,
    GivenTemplate,
    NotText,
    TemplateRefusal,
    conversations,
    default_template,
    model_folder,
)
from ftproviders.errors import ConfigurationError
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec

__all__ = ["rendered_row"]

_SHOWN_CHARACTERS = 600
_OURS_INSTEAD = "ChatML of ftproviders, because the model's own rewrites earlier messages"
_ROWS = 20
"""Rows that are tried: a template that rewrites earlier messages shows it only in longer chats."""


def rendered_row(
    spec: JobSpec, cache: Path, *, template: GivenTemplate | None, settings: Mapping[str, Any]
) -> Sequence[str]:
    """Return notes: which template is used, and the first row as it writes it.

    Args:
        spec: The job.
        cache: Our cache folder, in which converted models are.
        template: The user's own template.
        settings: The job's resolved settings.
    """
    folder = model_folder(str(spec.base_model), cache=cache)
    rows = list(_rows(Path(spec.training_file), spec.method))
    if folder is None or not rows:
        return ()
    try:
        chat = ChatTemplate(folder, template=template)
        try:
            shown = [_show(chat, row, settings) for row in rows]
        except TemplateRefusal as refusal:
            if not refusal.rewritten or template is not None:
                return ()  # the report on the data says so, and where
            chat = ChatTemplate(folder, template=GivenTemplate(default_template(), _OURS_INSTEAD))
            shown = [_show(chat, row, settings) for row in rows]
    except (ConfigurationError, TemplateRefusal, NotText):
        return ()  # what is wrong with rows and template stands in the report on the data
    return (f"Chat template: {chat.source}.", *_told(spec.method, shown))


def _told(method: Method, shown: Sequence[str]) -> Iterator[str]:
    """Yield the first row; of a pair, what is made likelier and what is made less likely."""
    if method is not Method.DPO:
        yield f"First row, learned in ⟦ ⟧: {_short(shown[0])}"
        return
    yield f"First row, preferred answer in ⟦ ⟧: {_short(shown[0])}"
    yield f"First row, rejected answer in ⟦ ⟧: {_short(shown[1])}"


def _show(chat: ChatTemplate, row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    messages, tools = row["messages"], row.get("tools")
    text = chat.show(messages, tools=tools)
    if settings["assistant_only_loss"]:
        return text
    return f"⟦{text.replace('⟦', '').replace('⟧', '')}⟧"


def _rows(path: Path, method: Method) -> Iterator[Mapping[str, Any]]:
    """Yield the first rows of the training file; of a pair its two conversations."""
    try:
        with path.open("rb") as lines:
            for line in itertools.islice(lines, _ROWS):
                row = json.loads(line.decode("utf-8-sig"))
                pair: Iterable[Mapping[str, Any]] = (row,)
                if method is Method.DPO:
                    pair = conversations(row) or ()
                yield from (one for one in pair if isinstance(one["messages"], list))
    except (OSError, ValueError, KeyError, TypeError):
        return  # the report on the data says what is wrong


def _short(text: str) -> str:
    plain = mask(text).replace("\n", "\\n")
    return plain if len(plain) <= _SHOWN_CHARACTERS else plain[: _SHOWN_CHARACTERS - 1] + "…"
