"""Preference rows -> token ids and labels of the preferred and of the rejected answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftproviders.worker.encoding import EncodedRow, encode_row

__all__ = ["EncodedPair", "encode_pair"]


@dataclass(frozen=True, kw_only=True)
class EncodedPair:
    """One input with two answers, each as a row of its own."""

    chosen: EncodedRow
    rejected: EncodedRow

    @property
    def cut(self) -> bool:
        """True when one of them was longer than allowed."""
        return self.chosen.cut or self.rejected.cut

    @property
    def tokens(self) -> int:
        """Tokens of both together."""
        return self.chosen.tokens + self.rejected.tokens

    @property
    def label_tokens(self) -> int:
        """Tokens that are compared; 0 when one of the answers has none."""
        both = (self.chosen.label_tokens, self.rejected.label_tokens)
        return sum(both) if all(both) else 0


def encode_pair(row: Mapping[str, Any], tokenizer: Any, *, max_length: int) -> EncodedPair:
    """Encode one preference row, in OpenAI's shape or in TRL's columns.

    What is compared are the answers: earlier messages of the assistant have no labels.

    Args:
        row: ``input``, ``preferred_output`` and ``non_preferred_output``, or ``prompt``,
            ``chosen`` and ``rejected`` with lists of messages.
        tokenizer: A fast tokenizer with a chat template.
        max_length: Longest row in tokens.

    Raises:
        WorkError: The template refuses the row, or changes what it wrote before.
    """
    asked, tools, chosen, rejected = _parts(row)
    silent = [{**message, "weight": 0} for message in asked]

    def encoded(answer: list[dict[str, Any]]) -> EncodedRow:
        whole: dict[str, Any] = {"messages": [*silent, *answer]}
        if tools:
            whole["tools"] = tools
        return encode_row(whole, tokenizer, max_length=max_length)

    return EncodedPair(chosen=encoded(chosen), rejected=encoded(rejected))


def _parts(row: Mapping[str, Any]) -> tuple[list[Any], Any, list[Any], list[Any]]:
    """Return input, tools, preferred and rejected answer."""
    if "input" in row:
        given = row["input"]
        return (
            given["messages"],
            given.get("tools"),
            row["preferred_output"],
            row["non_preferred_output"],
        )
    asked = _messages(row.get("prompt") or [], "user")
    chosen, rejected = (_messages(row[name], "assistant") for name in ("chosen", "rejected"))
    # Without a column of its own, the prompt is what both conversations begin with.
    common = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        common += 1
    return [*asked, *chosen[:common]], row.get("tools"), chosen[common:], rejected[common:]


def _messages(said: Any, role: str) -> list[Any]:
    return [{"role": role, "content": said}] if isinstance(said, str) else list(said)
