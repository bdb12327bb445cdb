"""Making HTML in which nothing from outside can be markup, and no secret stands.

Every text goes through `text`: what is no `Markup` yet is escaped, cleaned and masked. Only this
room makes `Markup`, by `tag` and `joined`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ftproviders.data.secrets import mask

__all__ = ["Markup", "clean", "joined", "tag", "text", "withheld"]

_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"meta", "br", "line", "path", "circle", "rect"})
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|key|token|password|passwd|passphrase|secret|credentials?|authorization|"
    r"connection_string)$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"(?:^|_)(?:pad|eos|bos|unk|sep|cls|mask|image|sort|group)_(?:token|key)$")
HIDDEN = "(not shown)"
"""What stands in the place of a value whose name says that it is secret."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def clean(value: str) -> str:
    """Hide secrets in `value`, and replace characters that no page can hold."""
    readable = _UNREADABLE.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    return mask(readable)


def text(value: object) -> Markup:
    """Return `value` as HTML text; `Markup` as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(clean(str(value))))


def joined(parts: Iterable[object]) -> Markup:
    """Put pieces together."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: Its name.
        *children: What stands in it.
        **attributes: ``class_`` is class, ``_`` in a name is ``-``; None = leave it out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(children)}</{name}>")


def withheld(value: Any, name: str = "") -> Any:
    """Return a JSON value without what its names say is secret."""
    if name and value is not None and _SECRET_NAME.search(name) and not _NO_SECRET.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(key): withheld(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [withheld(item) for item in value]
    return mask(_UNREADABLE.sub("\ufffd", value)) if isinstance(value, str) else value
