"""A model's tokenizer and chat template: rows as text, as tokens, and what of them is learned.

The same rules as those of the local training (``worker.encoding``), which tests hold equal token
by token: rendered once as a whole, learned is what the template marks with ``{% generation %}``,
or what an assistant message adds to the text before it.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftproviders.data.template.environment import environment
from ftproviders.data.template.given import GivenTemplate, syntax_problem
from ftproviders.data.template.messages import default_template, plain_messages
from ftproviders.data.tokens import INSTALL
from ftproviders.errors import ConfigurationError, MissingDependencyError

__all__ = ["ChatTemplate", "EncodedRow", "TemplateRefusal"]

_MARKS = re.compile(r"\{%-?\s*generation\s*-?%\}")
_FIRST_MARK = 0x10FA01
"""Where private characters begin that stand around what the template marks, while it is written."""
_MODULES = ("tokenizers", "jinja2")
_SPECIAL = (
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
)  # fmt: skip

_ENDLESS = 1_000_000_000

Span = tuple[int, int]


class TemplateRefusal(Exception):  # noqa: N818 - about the data, not an error of the program
    """The template refuses a row, or cannot be followed through it.

    Attributes:
        rewritten: True when it writes earlier messages differently when one is added.
    """

    def __init__(self, message: str, *, rewritten: bool = False) -> None:
        super().__init__(message)
        self.rewritten = rewritten


@dataclass(frozen=True, kw_only=True)
class EncodedRow:
    """One row as the model reads it."""

    text: str
    tokens: int
    learned: Sequence[int]
    """Positions of the tokens that take part in the loss."""


class ChatTemplate:
    """A model's tokenizer and chat template.

    Args:
        folder: Folder with ``tokenizer.json``.
        template: Chat template to use instead of the model's own, or its text.

    Attributes:
        source: Where the template comes from.
        marked: Whether it marks what the assistant says.
        eos: The model's end token.
        max_length: Most tokens that the model reads; None = not stated.

    Raises:
        MissingDependencyError: ``tokenizers`` or ``jinja2`` is not installed.
        ConfigurationError: The folder's files cannot be read, or the template is not valid.
    """

    def __init__(self, folder: Path, *, template: GivenTemplate | str | None = None) -> None:
        for module in _MODULES:
            if importlib.util.find_spec(module) is None:
                raise MissingDependencyError(
                    f"Reading a model's own chat template needs {module}, which is not installed.",
                    operation="read chat template",
                    hint=f"Install it: {INSTALL}",
                )
        self.folder = folder
        config = _read_json(folder / "tokenizer_config.json")
        text, self.source = _template(folder, config, template)
        self._special = _special_tokens(folder, config)
        self.eos = self._special.get("eos_token", "")
        self.max_length = _max_length(folder, config)
        self.marked = bool(_MARKS.search(text))
        problem = syntax_problem(text)
        if problem:
            raise ConfigurationError(
                f"The chat template of {folder} ({self.source}) is no valid Jinja: {problem}.",
                operation="read chat template",
                hint="Correct it, give another template, or name another model.",
            )
        self._template: Any = environment().from_string(text)
        try:
            tokenizer = importlib.import_module("tokenizers").Tokenizer
            self._tokenizer: Any = tokenizer.from_file(str(folder / "tokenizer.json"))
        # The library raises whatever it likes for a file that it cannot read.
        except Exception as error:
            raise ConfigurationError(
                f"The tokenizer in {folder} cannot be read: {error}.",
                operation="read chat template",
                hint="Check tokenizer.json, or name another model.",
            ) from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: object = None,
        prompt: bool = False,
    ) -> str:
        """Return what the template writes for plain messages.

        Args:
            messages: What `plain_messages` returned.
            tools: Declared tools of the row.
            prompt: Whether the assistant's turn is opened at the end.

        Raises:
            TemplateRefusal: The template refuses it.
        """
        return self._render(messages, tools, prompt=prompt)[0]

    def _render(
        self, messages: Sequence[Mapping[str, Any]], tools: object, *, prompt: bool = False
    ) -> tuple[str, list[Span]]:
        try:
            marks = _free_marks(messages, tools) if self.marked else ("", "")
            self._template.environment.generation_marks = marks
            written = self._template.render(
                messages=json.loads(json.dumps(list(messages))),
                tools=tools or None,
                documents=None,
                add_generation_prompt=prompt,
                **self._special,
            )
        # A template is a program of the model's maker: jinja raises whatever it raises.
        except Exception as error:
            raise TemplateRefusal(str(error) or type(error).__name__) from error
        return _take_marks(written, *marks) if self.marked else (written, [])

    def special_tokens(self) -> frozenset[str]:
        """Return the tokens that are no text: ends, roles, padding."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        return frozenset({t.content for t in added if t.special} | set(self._special.values()))

    def count(self, text: str) -> int:
        """Return the tokens of a text."""
        valid = text.encode("utf-8", "replace").decode()  # lone surrogates, which a rule names
        return len(self._tokenizer.encode(valid, add_special_tokens=False).ids)

    def encode(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: object = None,
        max_length: int | None = None,
    ) -> EncodedRow:
        """Render and tokenize a row, and find what is learned.

        Args:
            messages: The row's messages as they stand in the file.
            tools: Declared tools of the row.
            max_length: Tokens beyond this are cut off and not learned.

        Raises:
            NotText: A message holds something other than text.
            TemplateRefusal: The template refuses the row, or rewrites what it wrote before.
        """
        plain = plain_messages(messages)
        text, spans = self._spans(plain, tools)
        wanted = [
            spans[index]
            for index, message in enumerate(messages)
            if index in spans and message.get("weight") != 0
        ]
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        offsets: Sequence[Span] = encoded.offsets
        learned = [
            position
            for position, (start, end) in enumerate(offsets)
            # The very first token has nothing before it from which it could be predicted.
            if position and end > start and any(a <= start and end <= b for a, b in wanted)
        ]
        if max_length is not None:
            learned = [position for position in learned if position < max_length]
        return EncodedRow(text=text, tokens=len(offsets), learned=learned)

    def show(self, messages: Sequence[Mapping[str, Any]], *, tools: object = None) -> str:
        """Return a row as the template writes it, with ⟦ ⟧ around what is learned.

        Args:
            messages: The row's messages as they stand in the file.
            tools: Declared tools of the row.

        Raises:
            NotText: A message holds something other than text.
            TemplateRefusal: The template refuses the row, or rewrites what it wrote before.
        """
        text, spans = self._spans(plain_messages(messages), tools)
        for index in sorted(spans, reverse=True):
            start, end = spans[index]
            if messages[index].get("weight") != 0:
                text = f"{text[:start]}⟦{text[start:end]}⟧{text[end:]}"
        return text

    def _spans(
        self, messages: list[dict[str, Any]], tools: object
    ) -> tuple[str, Mapping[int, Span]]:
        """Return the text, and for each assistant message the characters that are its words."""
        speakers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        text, marked = self._render(messages, tools)
        if self.marked:
            if len(marked) != len(speakers):
                raise TemplateRefusal(
                    f"it marks {len(marked)} answers where the row has {len(speakers)}",
                    rewritten=True,
                )
            return text, dict(zip(speakers, marked, strict=True))
        return text, {
            index: self._span_by_difference(text, messages, index, tools) for index in speakers
        }

    def _span_by_difference(
        self, text: str, messages: list[dict[str, Any]], index: int, tools: object
    ) -> Span:
        before = self.render(messages[:index], tools=tools, prompt=True)
        until = self.render(messages[: index + 1], tools=tools)
        if not (until.startswith(before) and text.startswith(until)):
            raise TemplateRefusal(
                "it writes earlier messages differently when a message is added", rewritten=True
            )
        end = until.rfind(self.eos, len(before)) if self.eos else -1
        return len(before), len(until) if end < 0 else end + len(self.eos)


def _free_marks(messages: object, tools: object) -> tuple[str, str]:
    """Return two private characters that stand nowhere in a row."""
    text = json.dumps([messages, tools], ensure_ascii=False)
    free = (mark for mark in map(chr, itertools.count(_FIRST_MARK)) if mark not in text)
    return next(free), next(free)


def _take_marks(written: str, opening: str, closing: str) -> tuple[str, list[Span]]:
    """Take the marks out of a text; return where they stood."""
    if opening not in written:
        return written, []
    spans: list[Span] = []
    pieces: list[str] = []
    size = 0
    for piece in re.split(f"({opening}|{closing})", written):
        if piece == opening:
            spans.append((size, size))
        elif piece == closing:
            spans[-1] = (spans[-1][0], size)
        else:
            pieces.append(piece)
            size += len(piece)
    return "".join(pieces), spans


def _template(
    folder: Path, config: Mapping[str, Any], given: GivenTemplate | str | None
) -> tuple[str, str]:
    """Return the text of the template and where it comes from."""
    if isinstance(given, GivenTemplate):
        return given.text, given.source
    if given is not None:
        return given, "given by the user"
    file = folder / "chat_template.jinja"
    if file.is_file():
        return _read(file), file.name
    own = config.get("chat_template")
    if isinstance(own, list):
        named = {one.get("name"): one.get("template") for one in own if isinstance(one, dict)}
        own = named.get("default")
    if isinstance(own, str):
        return own, "tokenizer_config.json"
    return default_template(), "ChatML of ftproviders; the model has none"


def _max_length(folder: Path, config: Mapping[str, Any]) -> int | None:
    """Return the smaller of what tokenizer and model state; a huge number means nothing."""
    stated = (
        config.get("model_max_length"),
        _read_json(folder / "config.json").get("max_position_embeddings"),
    )
    known = [one for one in stated if isinstance(one, int) and 0 < one < _ENDLESS]
    return min(known, default=None)


def _special_tokens(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    known = {**_read_json(folder / "special_tokens_map.json"), **config}
    found = {}
    for name in _SPECIAL:
        token = known.get(name)
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            found[name] = token
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}.",
            operation="read chat template",
            hint="Check the model's folder.",
        ) from error


def _read_json(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(_read(file))
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {}
