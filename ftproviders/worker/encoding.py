"""Chat rows -> token ids and labels, with loss on the assistant's words only.

A row is rendered once with the chat template and tokenised once, as a whole, exactly as it is at
inference. Which characters the assistant said comes from the template's ``{% generation %}``
marks; a template without marks is rendered up to each assistant message, with and without it, and
the difference is what was said.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from ftproviders.data import template as data_template
from ftproviders.worker.failures import WorkError

__all__ = [
    "IGNORED",
    "REWRITES",
    "Encoded",
    "EncodedRow",
    "encode_file",
    "encode_row",
    "plain_messages",
]

IGNORED = -100
"""Label of a token that takes no part in the loss; PyTorch's own default."""

REWRITES = "template_rewrites"
"""Code of the failure that the assistant's words cannot be followed through a template."""

_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")

_READER = json.JSONDecoder(
    # Python refuses integers of some thousand digits; as in validation, they lose precision here.
    parse_int=lambda digits: int(digits) if len(digits) < 400 else float("inf"),
)

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class EncodedRow:
    """One row, ready for a batch."""

    input_ids: list[int]
    labels: list[int]
    """The ids again, or `IGNORED`."""
    cut: bool
    """True when the row was longer than allowed."""

    @property
    def tokens(self) -> int:
        """Tokens of the row."""
        return len(self.input_ids)

    @property
    def label_tokens(self) -> int:
        """Tokens that take part in the loss."""
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A file, ready for training."""

    rows: list[Any]
    """`EncodedRow`, or pairs of them."""
    marked: bool
    """True when the chat template marks what the assistant says."""

    @property
    def tokens(self) -> int:
        """Tokens of one pass."""
        return sum(row.tokens for row in self.rows)

    @property
    def label_tokens(self) -> int:
        """Tokens of one pass that take part in the loss."""
        return sum(row.label_tokens for row in self.rows)


def encode_file(
    path: Path,
    tokenizer: Any,
    *,
    max_length: int,
    name: str,
    encode: Callable[..., Any] | None = None,
) -> Encoded:
    """Encode every row of a JSONL file.

    Args:
        path: The file.
        tokenizer: A fast tokenizer with a chat template.
        max_length: Longest row in tokens; a longer one is cut.
        name: The file's name for people.
        encode: Encodes one row; None = `encode_row`.

    Raises:
        WorkError: A row cannot be rendered, or has nothing to learn from; rows are named.
    """
    rows: list[Any] = []
    empty: list[int] = []
    encode = encode or encode_row
    with path.open("rb") as lines:
        # Bytes, because only a line feed ends a row: carriage returns are white space in JSON.
        for number, line in enumerate(lines, start=1):
            if not line.removeprefix(BOM_UTF8).strip(b" \t\r\n"):
                continue
            try:
                row = _READER.decode(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                rows.append(encode(row, tokenizer, max_length=max_length))
            except WorkError as failure:
                raise WorkError(
                    f"{name}, line {number}: {failure.message}", code=failure.code, param=name
                ) from failure
            if not rows[-1].label_tokens:
                empty.append(number)
    if empty:
        raise _nothing_to_learn(name, empty, max_length)
    return Encoded(rows=rows, marked=bool(_MARKS.search(tokenizer.chat_template)))


def encode_row(
    row: Mapping[str, Any], tokenizer: Any, *, max_length: int, learn_all: bool = False
) -> EncodedRow:
    """Encode one row.

    Args:
        row: ``messages``, and ``tools`` where there are some.
        tokenizer: A fast tokenizer with a chat template.
        max_length: Longest row in tokens.
        learn_all: Label every token, not the assistant's words alone.

    Raises:
        WorkError: The template refuses the row, or changes what it wrote before (code `REWRITES`).
    """
    messages = plain_messages(row["messages"])
    if learn_all:
        text, _ = _render(messages, row.get("tools"), tokenizer)
        return _encoded(text, [(0, len(text))], tokenizer, max_length)
    wanted = [
        index
        for index, message in enumerate(row["messages"])
        if message["role"] == "assistant" and message.get("weight") != 0
    ]
    text, spans = _spans(messages, row.get("tools"), tokenizer)
    learned = [spans[index] for index in wanted if index in spans]
    return _encoded(text, learned, tokenizer, max_length)


def _encoded(text: str, learned: Sequence[Span], tokenizer: Any, max_length: int) -> EncodedRow:
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = list(encoded["input_ids"])
    labels = _labels(ids, encoded["offset_mapping"], learned)
    return EncodedRow(
        input_ids=ids[:max_length], labels=labels[:max_length], cut=len(ids) > max_length
    )


def plain_messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in the shape that chat templates expect.

    Text parts become one text, and the arguments of tool calls, which the data format has as a
    string that holds JSON, become the object itself.

    Raises:
        WorkError: A message holds something other than text.
    """
    try:
        return data_template.plain_messages(messages)
    except data_template.NotText as error:
        raise WorkError(
            "A message holds an image or another part that is no text; local models learn from "
            "text only. Remove the row.",
            code="no_text",
        ) from error


def _spans(
    messages: list[dict[str, Any]], tools: object, tokenizer: Any
) -> tuple[str, dict[int, Span]]:
    """Return the rendered row, and for each assistant message the characters that are its words."""
    speakers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    if not _MARKS.search(tokenizer.chat_template):
        return _spans_by_difference(messages, tools, tokenizer, speakers)
    text, marked = _render(messages, tools, tokenizer, marks=True)
    if len(marked) != len(speakers):
        raise WorkError(
            f"The chat template marks {len(marked)} answers where the row has {len(speakers)}. "
            f"Give a template that marks "
            "each assistant message once (option chat_template).",
            code=REWRITES,
        )
    return text, dict(zip(speakers, marked, strict=True))


def _spans_by_difference(
    messages: list[dict[str, Any]], tools: object, tokenizer: Any, speakers: Sequence[int]
) -> tuple[str, dict[int, Span]]:
    text, _ = _render(messages, tools, tokenizer)
    spans = {}
    for index in speakers:
        before, _ = _render(messages[:index], tools, tokenizer, prompt=True)
        until, _ = _render(messages[: index + 1], tools, tokenizer)
        if not (until.startswith(before) and text.startswith(until)):
            raise WorkError(
                "The model's chat template writes earlier messages differently when a message is "
                "added, so the "
                "assistant's words cannot be told apart. Give a template with {% generation %} "
                "marks (option "
                "chat_template).",
                code=REWRITES,
            )
        end = until.rfind(tokenizer.eos_token, len(before))
        stop = len(until) if end < 0 else end + len(tokenizer.eos_token)
        spans[index] = (len(before), stop)
    return text, spans


def _render(
    messages: list[dict[str, Any]],
    tools: Any,
    tokenizer: Any,
    *,
    marks: bool = False,
    prompt: bool = False,
) -> tuple[str, list[Span]]:
    try:
        rendered: Any = render_jinja_template(
            conversations=[messages],
            tools=tools or None,
            chat_template=tokenizer.chat_template,
            return_assistant_tokens_mask=marks,
            add_generation_prompt=prompt,
            **tokenizer.special_tokens_map,
        )
    # Templates are programs of the model's maker: jinja raises whatever they raise.
    except Exception as error:
        raise WorkError(
            f"The model's chat template refuses this conversation: {error}. Change the row, or "
            f"give another template "
            "(option chat_template).",
            code="chat_template",
        ) from error
    texts, spans = rendered
    return texts[0], [(start, end) for start, end in spans[0]] if marks else []


def _labels(ids: Sequence[int], offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """Label the tokens that lie wholly in a span.

    A token that reaches over the start of an answer is not labelled: at inference the prompt ends
    there, so the model never has to write it.
    """
    labels = [IGNORED] * len(ids)
    for position, (start, end) in enumerate(offsets):
        if end > start and any(first <= start and end <= last for first, last in spans):
            labels[position] = ids[position]
    # The very first token has nothing before it from which it could be predicted.
    labels[:1] = [IGNORED] * len(labels[:1])
    return labels


def _nothing_to_learn(name: str, lines: Sequence[int], max_length: int) -> WorkError:
    shown = ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")
    return WorkError(
        f"{name}: {len(lines)} rows have no assistant token to learn from (lines {shown}): every "
        f"assistant message "
        f"has weight 0, is empty, or lies beyond the first {max_length} tokens. Remove these rows, "
        "shorten what stands before the answers, or raise max_length_tokens where the model "
        "takes longer rows.",
        code="no_labels",
        param=name,
    )
