"""Rows through a model's own tokenizer and chat template: encoded, or why not, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from typing_extensions import override

from ftproviders.data.template.chat import ChatTemplate, EncodedRow, TemplateRefusal
from ftproviders.data.template.messages import NotText
from ftproviders.data.template.pairs import completed, conversations
from ftproviders.data.tokens.counting import RowTokenizer, RowTokens

__all__ = ["BrokenRow", "TemplateTokenizer", "encode_messages"]


class BrokenRow(NamedTuple):
    """Why a row cannot be encoded."""

    error: NotText | TemplateRefusal | None
    """None: it is no row of messages, which other rules say."""


def encode_messages(chat: ChatTemplate, row: object) -> EncodedRow | BrokenRow:
    """Encode a decoded row of messages, or say why that cannot be done."""
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(messages, list) or not messages:
        return BrokenRow(None)
    try:
        return chat.encode(messages, tools=row.get("tools"))
    except (NotText, TemplateRefusal) as error:
        return BrokenRow(error)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return BrokenRow(None)  # the row is not what the format asks for


class TemplateTokenizer(RowTokenizer):
    """Counts rows with a model's own tokenizer and chat template.

    Args:
        chat: The model's template.
        model: How the model is named.
    """

    def __init__(self, chat: ChatTemplate, *, model: str) -> None:
        self._chat = chat
        self._model = model

    @property
    @override
    def name(self) -> str:
        """The model."""
        return self._model

    @property
    @override
    def method(self) -> str:
        """How it counts, in a few words."""
        return f"tokenizer and chat template of {self._model}"

    @override
    def row(self, row: object) -> RowTokens:
        """Count a decoded row; one that the template refuses has no tokens."""
        encoded = encode_messages(self._chat, row)
        if isinstance(encoded, EncodedRow):
            return RowTokens(encoded.tokens, len(encoded.learned))
        pair = conversations(row)
        if pair is not None:
            return self._pair(pair)
        joined = encode_messages(self._chat, completed(row))
        if isinstance(joined, EncodedRow):
            return RowTokens(joined.tokens, len(joined.learned))
        body = row if isinstance(row, dict) else {}
        given = [self._text(body.get(field)) for field in ("prompt", "text")]
        answer = self._text(body.get("completion"))
        return RowTokens(sum(given) + answer, answer)

    def _pair(self, pair: Iterable[object]) -> RowTokens:
        """Count both conversations of a pair: the model reads the input with each answer."""
        both = [encode_messages(self._chat, row) for row in pair]
        read = [one for one in both if isinstance(one, EncodedRow)]
        sizes = tuple(one.tokens for one in read)
        return RowTokens(sum(sizes), sum(len(one.learned) for one in read), sizes)

    def _text(self, text: object) -> int:
        return self._chat.count(text) if isinstance(text, str) else 0
