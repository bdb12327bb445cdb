"""The fields inside a grader that asks a model: its prompt, its range, its sampling.

Fields and words are those of the OpenAI API description 2.3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["inner_problems"]

_ROLES = ("user", "assistant", "system", "developer")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_WHOLE = ("seed", "max_completions_tokens")
_NUMBERS = ("temperature", "top_p")
_SAMPLING = (*_WHOLE, *_NUMBERS, "reasoning_effort")


def inner_problems(grader: Mapping[str, Any], where: str) -> Iterator[str]:
    """Say what is wrong inside the fields of a grader whose own fields are all known."""
    for name, look in _LOOKS.items():
        if name in grader and not (name == "input" and isinstance(grader[name], str)):
            yield from look(grader[name], f"{where}.{name}")


def _input(items: object, where: str) -> Iterator[str]:
    for number, item in enumerate(items if isinstance(items, list) else ()):
        place = f"{where}[{number}]"
        if not isinstance(item, Mapping) or "content" not in item:
            yield f"{place} must be a message with role and content"
        elif item.get("role") not in _ROLES:
            yield f"{place}.role must be one of {', '.join(_ROLES)}; it is {item.get('role')!r}"


def _range(value: object, where: str) -> Iterator[str]:
    pair = value if isinstance(value, list) else []
    if len(pair) != 2 or not all(map(_is_number, pair)) or pair[0] >= pair[1]:
        yield f"{where} must be two numbers, the smaller first"


def _sampling(value: object, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where} must be an object"
        return
    strange = [str(name) for name in value if name not in _SAMPLING]
    if strange:
        yield f"{where} has no field {', '.join(strange)}"
    for name, given in value.items():
        whole = name in _WHOLE and not (isinstance(given, int) and not isinstance(given, bool))
        if given is not None and (whole or (name in _NUMBERS and not _is_number(given))):
            yield f"{where}.{name} must be a {'whole ' if whole else ''}number"
    effort = value.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        yield f"{where}.reasoning_effort must be one of {', '.join(_EFFORTS)}; it is {effort!r}"


def _texts(value: object, where: str) -> Iterator[str]:
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        yield f"{where} must be a list of texts"


def _text(value: object, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield f"{where} must be a text"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_LOOKS: Mapping[str, Callable[[object, str], Iterator[str]]] = {
    "input": _input,
    "range": _range,
    "sampling_params": _sampling,
    "labels": _texts,
    "passing_labels": _texts,
    "image_tag": _text,
    "calculate_output": _text,
}
