"""Rows with parts, images, tools, calls, weights, names or refusals, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from ftproviders.data.exact.document import read_document
from ftproviders.data.exact.image import is_plain_image
from ftproviders.data.exact.pairing import declared_functions
from ftproviders.data.exact.parts import SPARED_IMAGES
from ftproviders.data.exact.tools import check_tools
from ftproviders.data.fast.schemas import fitting
from ftproviders.data.fast.sums import Refused, RichRow, count_quotes, is_clean
from ftproviders.data.fast.types import ROLES, Assistant, Call, Image, Message, Refusal, Row, Text
from ftproviders.data.fast.types import Tool as ToolMessage
from ftproviders.data.keys import key_of_bytes
from ftproviders.data.patterns import Patterns
from ftproviders.data.rule import MAX_DEPTH

__all__ = ["RichRows"]

_REMEMBERED_TOOLS = 256
_LONGEST_REMEMBERED_BYTES = 64 * 1024

_Fits: TypeAlias = Callable[[Any], bool]
_Declared: TypeAlias = tuple[int, Mapping[str, _Fits]]
"""Quotes of a declaration; name of each function -> what its arguments have to fit."""
_decode_json = msgspec.json.Decoder().decode


class _Look:
    """What was seen of a row so far."""

    __slots__ = ("calls", "declared", "images", "quotes", "texts", "unseen")

    def __init__(self) -> None:
        self.quotes = 2
        self.texts: list[str] = []
        """What is counted, and must be free of control tokens and NUL."""
        self.unseen: list[str] = []
        """What is not counted and must be free of NUL: ids and addresses."""
        self.images = 0
        self.declared: Mapping[str, _Fits] | None = None
        self.calls: dict[str, int] = {}
        """Id of a call that waits for its answer -> index of its message."""


class RichRows:
    """Looks at rows of every kind; remembers declared tools.

    Args:
        patterns: The orders of roles met so far.
    """

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._tools: dict[bytes, _Declared | None] = {}

    def look(self, row: Row, *, unclean: bool) -> RichRow:
        """Look at a row; its quotes are still to be compared with those of the line.

        Args:
            row: The row.
            unclean: Whether texts may hold NUL or control tokens.

        Raises:
            Refused: The row is for the judge.
        """
        look = _Look()
        if row.tools is not UNSET:
            self._declare(bytes(row.tools), look)
        if row.parallel_tool_calls is not UNSET:
            look.quotes += 2
        messages = row.messages
        roles = tuple([ROLES[type(message)] for message in messages])
        sizes, answer_at = _look(messages, look)
        last = len(messages) - 1
        if not self._patterns.of(roles).good or any(at != last for at in look.calls.values()):
            raise Refused
        if look.images > SPARED_IMAGES:
            raise Refused
        asked, said = "".join(look.texts[:answer_at]), "".join(look.texts[answer_at:])
        if unclean and not (is_clean(asked + said) and "\0" not in "".join(look.unseen)):
            raise Refused
        prompt, answer = asked.encode(), said.encode()
        return RichRow(
            key=key_of_bytes(prompt, answer),
            quotes=look.quotes,
            roles=roles,
            sizes=sizes,
            text_bytes=len(prompt) + len(answer),
            images=look.images,
        )

    def _declare(self, raw: bytes, look: _Look) -> None:
        """Take what a row's tools declare; rows tend to repeat them."""
        known = self._tools.get(raw, ...)
        if known is ...:
            known = _judge_tools(raw)
            if len(raw) <= _LONGEST_REMEMBERED_BYTES:
                if len(self._tools) >= _REMEMBERED_TOOLS:
                    self._tools.clear()
                self._tools[raw] = known
        if known is None:
            raise Refused
        look.quotes += 2 + known[0]
        look.declared = known[1]


def _judge_tools(raw: bytes) -> _Declared | None:
    document = read_document(raw, max_depth=MAX_DEPTH - 1)  # the row is around it
    if not document.readable or document.findings or any(check_tools(document.value, ())):
        return None
    declared = declared_functions(document.value) or {}
    return count_quotes(raw), {name: fitting(schema) for name, schema in declared.items()}


def _look(messages: list[Message], look: _Look) -> tuple[list[int], int]:
    """Look at a conversation; return the characters of each message, and texts before the last.

    Raises:
        Refused: The row is for the judge.
    """
    texts, sizes = look.texts, []
    trained = False
    before = 0
    for index, message in enumerate(messages):
        before = len(texts)
        if isinstance(message, Assistant):
            trained = _assistant(message, look, index) or trained
        elif isinstance(message, ToolMessage):
            # Its id is that of a call above, so it needs no look of its own.
            if look.calls.pop(message.tool_call_id, None) is None:
                raise Refused
            look.quotes += 4
            _content(message.content, look)
        else:
            _content(message.content, look)
            if message.name is not UNSET:
                look.quotes += 4
        if len(texts) == before + 1:
            sizes.append(len(texts[before]))
        else:
            sizes.append(sum(map(len, texts[before:])))
    if not trained:
        raise Refused
    return sizes, before


def _content(content: str | Iterable[Text | Refusal | Image], look: _Look) -> bool:
    """Count the role and the content of a message; return whether the content says something."""
    if isinstance(content, str):
        look.quotes += 8
        look.texts.append(content)
        return bool(content) and not content.isspace()
    look.quotes += 6
    says = False
    for part in content:
        if isinstance(part, Image):
            look.quotes += 10 if part.image_url.detail is UNSET else 14
            look.images += 1
            if not is_plain_image(part.image_url.url):
                raise Refused
            look.unseen.append(part.image_url.url)
            continue
        look.quotes += 8
        text = part.refusal if isinstance(part, Refusal) else part.text
        look.texts.append(text)
        says = says or bool(text and not text.isspace())
    return says


def _assistant(message: Assistant, look: _Look, index: int) -> bool:
    """Count an assistant's message; return whether it is trained on."""
    content = message.content
    says = False
    if content is UNSET:
        look.quotes += 4
    elif content is None:
        look.quotes += 6
    else:
        says = _content(content, look)
    if message.name is not UNSET:
        look.quotes += 4
    if message.refusal is not UNSET:
        look.quotes += 2
        if message.refusal is not None:
            look.quotes += 2
            look.texts.append(message.refusal)
            says = says or bool(message.refusal)
    if message.tool_calls is not UNSET:
        says = True
        look.quotes += 2
        for call in message.tool_calls:
            _call(call, look, index)
    if not says:
        raise Refused
    if message.weight is UNSET:
        return True
    look.quotes += 2
    return message.weight == 1


def _call(call: Call, look: _Look, index: int) -> None:
    look.quotes += 18  # id, type, function, name, arguments, and four of their values
    function = call.function
    look.texts.append(function.name)
    look.texts.append(function.arguments)
    if call.id in look.calls:
        raise Refused
    look.calls[call.id] = index
    look.unseen.append(call.id)
    try:
        arguments = _decode_json(function.arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused from None
    if look.declared is None:
        return
    fits = look.declared.get(function.name)
    if fits is None or not fits(arguments):
        raise Refused
