"""The base of every value: frozen, strict about unknown fields, times in UTC.

What lives here: how a value of ours behaves. What does not: any value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    JsonValue,
    PlainSerializer,
)
from typing_extensions import override

__all__ = ["FrozenJson", "FrozenNumbers", "FrozenText", "JsonValue", "UtcDatetime", "Value"]


class Value(BaseModel):
    """An immutable value. Two values with equal fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class _FrozenDict(dict[str, Any]):
    """A dict that refuses changes; unlike a mapping proxy it can be pickled and copied."""

    def _refuse(self: object, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this mapping is read-only; make a dict() of it to change it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    @override
    def __reduce__(self) -> tuple[type[_FrozenDict], tuple[dict[str, Any]]]:
        return _FrozenDict, (dict(self),)


def _freeze(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return _FrozenDict(mapping)


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcDatetime: TypeAlias = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment with a time zone, kept in UTC. A naive datetime is refused."""

FrozenJson: TypeAlias = Annotated[
    Mapping[str, JsonValue], AfterValidator(_freeze), PlainSerializer(dict, when_used="always")
]
"""A read-only mapping of JSON values."""

FrozenText: TypeAlias = Annotated[
    Mapping[str, str], AfterValidator(_freeze), PlainSerializer(dict, when_used="always")
]
"""A read-only mapping of strings."""

FrozenNumbers: TypeAlias = Annotated[
    Mapping[str, float], AfterValidator(_freeze), PlainSerializer(dict, when_used="always")
]
"""A read-only mapping of numbers."""
