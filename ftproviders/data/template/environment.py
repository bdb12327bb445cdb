"""The sandbox in which chat templates run. jinja2 is imported at the first use."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

__all__ = ["environment"]


def environment() -> Any:
    """Make the environment in which chat templates run, with what they may expect there.

    Source: Hugging Face documentation, chat templates: white space as ``trim_blocks`` and
    ``lstrip_blocks``, loop controls, ``tojson``, ``raise_exception``, ``strftime_now``,
    ``{% generation %}``.
    """
    jinja2 = importlib.import_module("jinja2")
    sandbox = importlib.import_module("jinja2.sandbox")
    loops = importlib.import_module("jinja2.ext").loopcontrols

    class Generation(jinja2.ext.Extension):  # type: ignore[misc, name-defined] # lazy, so untyped
        """The block ``{% generation %}``: puts the marks around what it writes."""

        def __init__(self, environment: Any) -> None:
            super().__init__(environment)
            environment.extend(generation_marks=("", ""))

        tags = {"generation"}  # noqa: RUF012 - jinja's own way

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            call = self.call_method("_marked", [])
            return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

        def _marked(self, caller: Callable[[], str]) -> str:
            opening, closing = self.environment.generation_marks
            return f"{opening}{caller()}{closing}"

    made = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loops]
    )
    made.filters["tojson"] = _to_json
    made.globals["raise_exception"] = _raiser(jinja2.exceptions.TemplateError)
    made.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return made


def _raiser(kind: type[Exception]) -> Callable[[str], Iterator[None]]:
    def raise_exception(message: str) -> Iterator[None]:
        raise kind(message)

    return raise_exception


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )
