"""Graders of reinforcement fine-tuning, checked before anything is sent.

Types, fields and words are those of the OpenAI API description 2.3.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftproviders.adapters._openai_dialect.grader_fields import inner_problems

__all__ = ["grader_problems"]

_SIMILARITY = (
    "cosine", "fuzzy_match", "bleu", "gleu", "meteor",
    "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l",
)  # fmt: skip


@dataclass(frozen=True)
class _Kind:
    """The fields of one type of grader, beside ``type`` and ``name``."""

    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def needed(self) -> tuple[str, ...]:
        return (*self.texts, *self.lists, *self.words)


_KINDS: Mapping[str, _Kind] = {
    "string_check": _Kind(
        texts=("input", "reference"), words={"operation": ("eq", "ne", "like", "ilike")}
    ),
    "text_similarity": _Kind(
        texts=("input", "reference"), words={"evaluation_metric": _SIMILARITY}
    ),
    "python": _Kind(texts=("source",), optional=("image_tag",)),
    "score_model": _Kind(texts=("model",), lists=("input",), optional=("range", "sampling_params")),
    "label_model": _Kind(texts=("model",), lists=("input", "labels", "passing_labels")),
}
_INSIDE_ONLY = frozenset({"label_model"})
"""Types that are taken inside ``multi`` and not by themselves."""


def grader_problems(
    grader: Mapping[str, Any], *, further: Mapping[str, frozenset[str]] | None = None
) -> list[str]:
    """Say what is wrong with a grader; empty = nothing that can be seen from here.

    Args:
        grader: The grader.
        further: Type of a grader -> optional fields that it has at one service alone.
    """
    return list(_problems(grader, "grader", inside=False, further=further or {}))


_Further = Mapping[str, frozenset[str]]


def _problems(grader: object, where: str, *, inside: bool, further: _Further) -> Iterator[str]:
    if not isinstance(grader, Mapping):
        yield f"{where} must be an object with a type and a name"
        return
    kind = grader.get("type")
    known = [name for name in _KINDS if inside or name not in _INSIDE_ONLY]
    if kind == "multi" and not inside:
        yield from _multi(grader, where, further)
    elif kind not in known:
        words = known if inside else [*known, "multi"]
        yield f"{where}.type must be one of {', '.join(words)}; it is {kind!r}"
    else:
        yield from _single(grader, _KINDS[str(kind)], where, further.get(str(kind), frozenset()))


def _single(
    grader: Mapping[str, Any], kind: _Kind, where: str, further: frozenset[str]
) -> Iterator[str]:
    yield from _missing(grader, ("name", *kind.needed), where)
    known = ("type", "name", *kind.needed, *kind.optional, *further)
    yield from _unknown(grader, known, where)
    for name in ("name", *kind.texts):
        if name in grader and not (isinstance(grader[name], str) and grader[name]):
            yield f"{where}.{name} must be a text"
    for name in kind.lists:
        if name in grader and not (isinstance(grader[name], list) and grader[name]):
            yield f"{where}.{name} must be a list with something in it"
    for name, words in kind.words.items():
        if name in grader and grader[name] not in words:
            yield f"{where}.{name} must be one of {', '.join(words)}; it is {grader[name]!r}"
    yield from inner_problems(grader, where)
    labels, passing = grader.get("labels"), grader.get("passing_labels")
    if isinstance(labels, list) and isinstance(passing, list):
        strange = [str(label) for label in passing if label not in labels]
        if strange:
            yield f"{where}.passing_labels has {', '.join(strange)}, which is no label"


def _multi(grader: Mapping[str, Any], where: str, further: _Further) -> Iterator[str]:
    yield from _missing(grader, ("name", "graders", "calculate_output"), where)
    known = ("type", "name", "graders", "calculate_output", *further.get("multi", ()))
    yield from _unknown(grader, known, where)
    yield from inner_problems(grader, where)
    inner = grader.get("graders")
    if not isinstance(inner, Mapping) or not inner:
        if "graders" in grader:
            yield f"{where}.graders must be an object: a name -> a grader"
        return
    if "type" in inner and isinstance(inner["type"], str):
        # The API description has one grader here, its guide a name for each; both are taken.
        yield from _problems(inner, f"{where}.graders", inside=True, further=further)
        return
    for name, one in inner.items():
        yield from _problems(one, f"{where}.graders.{name}", inside=True, further=further)


def _missing(grader: Mapping[str, Any], names: tuple[str, ...], where: str) -> Iterator[str]:
    absent = [name for name in names if name not in grader]
    if absent:
        yield f"{where} lacks {', '.join(absent)}"


def _unknown(grader: Mapping[str, Any], names: tuple[str, ...], where: str) -> Iterator[str]:
    strange = [str(name) for name in grader if name not in names]
    if strange:
        yield f"{where} has no field {', '.join(strange)}"
