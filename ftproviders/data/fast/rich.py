"""Rows with parts, images, tools, calls, weights, names or refusals, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from ftproviders.data.exact.document import read_document
from ftproviders.data.exact.image import address_fault
from ftproviders.data.exact.pairing import declared_functions
from ftproviders.data.exact.parts import SPARED_IMAGES
from ftproviders.data.exact.tools import check_functions, check_tools
from ftproviders.data.fast.schemas import Properties, described, fitting
from ftproviders.data.fast.sums import Refused, RichRow, is_clean
from ftproviders.data.fast.types import ROLES, Assistant, Call, Image, Message, Refusal, Row, Text
from ftproviders.data.fast.types import Tool as ToolMessage
from ftproviders.data.keys import key_of_texts
from ftproviders.data.patterns import Patterns
from ftproviders.data.quotes import quotes_in
from ftproviders.data.rule import MAX_DEPTH

__all__ = ["Declarations", "Declared", "RichRows", "fits"]

_REMEMBERED_TOOLS = 256
_LONGEST_REMEMBERED_BYTES = 64 * 1024

_Fits: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a row declares as its tools."""

    quotes: int
    """Quotes of the declaration."""
    schemas: Mapping[str, object]
    """Name of each function -> its parameters."""
    fits: Mapping[str, _Fits]
    """Name of each function -> what its arguments have to fit."""
    is_list: bool
    """False when what is declared is no list of functions, so that calls need not be in it."""
    faults: tuple[str, ...]
    """Rules that the declaration breaks, each as often as it does."""

    def described(self) -> tuple[tuple[str, Properties | None, bool], ...]:
        """Return of each function its name and the description of its parameters."""
        return tuple([(name, *described(schema)) for name, schema in self.schemas.items()])


_decode_json = msgspec.json.Decoder().decode


class _Look:
    """What was seen of a row so far."""

    __slots__ = ("calls", "declared", "images", "quotes", "trained", "unseen")

    def __init__(self) -> None:
        self.quotes = 2
        self.unseen: list[str] = []
        """What is not counted and must be free of NUL: ids and addresses."""
        self.images = 0
        self.trained = False
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
        self._tools = Declarations()

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
            known = self._tools.of(bytes(row.tools))
            if known is None or known.faults:
                raise Refused
            look.quotes += 2 + known.quotes
            look.declared = known.fits
        if row.parallel_tool_calls is not UNSET:
            look.quotes += 2
        types = tuple(map(type, row.messages))
        pattern = self._patterns.of_types(types, ROLES)
        texts = [
            _assistant(message, look, index)
            if isinstance(message, Assistant)
            else _other(message, look)
            for index, message in enumerate(row.messages)
        ]
        if not (pattern.good and look.trained) or look.images > SPARED_IMAGES:
            raise Refused
        if look.calls and any(at != len(texts) - 1 for at in look.calls.values()):
            raise Refused
        if unclean and not (is_clean("".join(texts)) and "\0" not in "".join(look.unseen)):
            raise Refused
        return RichRow(
            key=key_of_texts(texts, pattern.roles),
            quotes=look.quotes,
            pattern=pattern,
            sizes=list(map(len, texts)),
            text_bytes=sum(map(len, map(str.encode, texts))),
            images=look.images,
        )


class Declarations:
    """What rows declare as their tools; they tend to repeat it."""

    def __init__(self) -> None:
        self._tools: dict[tuple[bytes, bool], Declared | None] = {}

    def of(self, raw: bytes, *, deprecated: bool = False) -> Declared | None:
        """Return what a declaration says; None = it takes the judge to read it.

        Args:
            raw: The JSON text of ``tools``.
            deprecated: It is that of ``functions``.
        """
        known = self._tools.get((raw, deprecated), ...)
        if known is ...:
            known = _judge_tools(raw, deprecated)
            if len(raw) <= _LONGEST_REMEMBERED_BYTES:
                if len(self._tools) >= _REMEMBERED_TOOLS:
                    self._tools.clear()
                self._tools[raw, deprecated] = known
        return known


def fits(declared: Mapping[str, _Fits], name: str, arguments: str) -> bool:
    """Say whether the arguments of a call fit what is declared.

    Raises:
        Refused: They are no JSON.
    """
    one = declared.get(name)
    return one is not None and one(_read(arguments))


def _judge_tools(raw: bytes, deprecated: bool) -> Declared | None:
    document = read_document(raw, max_depth=MAX_DEPTH - 1)  # the row is around it
    if not document.readable or document.findings:
        return None
    found = (
        check_functions(document.value, ("functions",))
        if deprecated
        else check_tools(document.value, ("tools",))
    )
    declared = declared_functions(document.value, deprecated=deprecated)
    schemas = declared or {}
    return Declared(
        quotes=quotes_in(raw),
        schemas=schemas,
        fits={name: fitting(schema) for name, schema in schemas.items()},
        is_list=declared is not None,
        faults=tuple([one.rule for one in found]),
    )


def _other(message: Message, look: _Look) -> str:
    """Count a message that is not the assistant's; return its text.

    Raises:
        Refused: The row is for the judge.
    """
    if isinstance(message, ToolMessage):
        # Its id is that of a call above, so it needs no look of its own.
        if look.calls.pop(message.tool_call_id, None) is None:
            raise Refused
        look.quotes += 4
    elif message.name is not UNSET:
        look.quotes += 4
    content = message.content
    if isinstance(content, str):
        look.quotes += 8
        return content
    return _parts(content or (), look)


def _parts(parts: Iterable[Text | Refusal | Image], look: _Look) -> str:
    """Count parts, and the keys of their message; return their text."""
    look.quotes += 6
    text = ""
    for part in parts:
        if isinstance(part, Image):
            look.quotes += 10 if part.image_url.detail is UNSET else 14
            look.images += 1
            if address_fault(part.image_url.url):
                raise Refused
            look.unseen.append(part.image_url.url)
        else:
            look.quotes += 8
            text += part.refusal if isinstance(part, Refusal) else part.text
    return text


def _assistant(message: Assistant, look: _Look, index: int) -> str:
    """Count an assistant's message; return its text.

    Raises:
        Refused: The row is for the judge.
    """
    content = message.content
    if isinstance(content, str):
        look.quotes += 8
        text = content
    elif content is UNSET or content is None:
        look.quotes += 4 if content is UNSET else 6
        text = ""
    else:
        text = _parts(content, look)
    says = bool(text) and not text.isspace()
    if message.name is not UNSET:
        look.quotes += 4
    if message.refusal is not UNSET:
        look.quotes += 2 if message.refusal is None else 4
        text += message.refusal or ""
        says = says or bool(message.refusal)
    if message.tool_calls is not UNSET:
        says = True
        look.quotes += 2
        for call in message.tool_calls:
            text += _call(call, look, index)
    if not says:
        raise Refused
    if message.weight is not UNSET:
        look.quotes += 2
    look.trained = look.trained or message.weight != 0
    return text


def _read(arguments: str) -> Any:
    """Read arguments.

    Raises:
        Refused: They are no JSON.
    """
    try:
        return _decode_json(arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused from None


def _call(call: Call, look: _Look, index: int) -> str:
    """Count a call; return its text."""
    look.quotes += 18  # id, type, function, name, arguments, and four of their values
    function = call.function
    if call.id in look.calls:
        raise Refused
    look.calls[call.id] = index
    look.unseen.append(call.id)
    if look.declared is not None:
        if not fits(look.declared, function.name, function.arguments):
            raise Refused
    else:
        _read(function.arguments)
    return function.name + function.arguments
