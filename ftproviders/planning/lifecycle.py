"""Dated ends from ``lifecycle.toml``: until when jobs can be created and tuned models answer.

Nothing is refused by these dates: sources err and accounts differ. They warn before anything is
sent, and say what else there is after a service has refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

from ftproviders.schema.moved import Lifecycle

__all__ = [
    "alternatives",
    "base_of",
    "has_dates",
    "knows_model",
    "lifecycle",
    "lifecycle_warnings",
    "tunable_models",
]

_SOON_DAYS = 120
_STALE_DAYS = 90
_SHOWN_MODELS = 3
_EVERYBODY = "everybody"
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A dated row, and who said so when."""

    provider: str
    last_create_day: date | None = None
    as_of: date
    mark: str
    source: str

    def doubt(self, today: date) -> str:
        """Return source and day in words, and why to doubt them."""
        told = f"{self.source}, read {self.as_of.isoformat()}"
        told += "; a secondary source" if self.mark == "S" else ""
        return told + ("; more than 90 days old" if self._days(today) > _STALE_DAYS else "")

    def _days(self, today: date) -> int:
        return (today - self.as_of).days


@dataclass(frozen=True, kw_only=True)
class ModelEnd(_Row):
    """When tuning a model ends, and its tuned models."""

    patterns: tuple[str, ...]
    last_answer_day: date | None = None
    base_retires: date | None = None
    """When the base model itself goes, where tunes and tuning do not go with it."""
    replacement: str = ""
    note: str = ""

    @property
    def names(self) -> str:
        """The models of the row as one writes them in a job: those with a date, or else all."""
        dated = [name for name in self.patterns if _DATED.search(name)]
        return " and ".join(dated or self.patterns)


@dataclass(frozen=True, kw_only=True)
class ServiceEnd(_Row):
    """When a service takes no more jobs of some of its customers."""

    who: str


@cache
def _tables() -> tuple[tuple[ModelEnd, ...], tuple[ServiceEnd, ...]]:
    text = files("ftproviders.planning").joinpath("lifecycle.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    models = (ModelEnd(**{**row, "patterns": tuple(row["patterns"])}) for row in content["models"])
    return tuple(models), tuple(ServiceEnd(**row) for row in content["services"])


def base_of(model: str) -> str:
    """Return the base model of a tuned model's name; any other name as it is."""
    if model.startswith("ft:"):
        return model.removeprefix("ft:").partition(":")[0]
    return model.partition(".ft-")[0]


def _end(provider: str, model: str) -> ModelEnd | None:
    base = base_of(model).lower()
    for row in _tables()[0]:
        if row.provider == provider and any(fnmatchcase(base, p) for p in row.patterns):
            return row
    return None


def lifecycle_warnings(
    provider: str, model: str, *, today: date, ends_on: date | None = None, table: bool = True
) -> tuple[str, ...]:
    """Return what ends soon, or has ended, for somebody who is about to tune `model`.

    Args:
        provider: The provider.
        model: Base model, or a tuned model to go on from.
        today: The present day.
        ends_on: The day of the shutdown as the service tells it; it beats the table.
        table: Whether the table speaks of the service that is called.
    """
    told = tuple(_told(provider, model, today, ends_on))
    if not table:
        return told
    return (
        *_service_warnings(provider, today),
        *told,
        *_model_warnings(provider, model, today, answers=ends_on is None),
    )


def _told(provider: str, model: str, today: date, ends_on: date | None) -> Iterator[str]:
    last = None if ends_on is None else ends_on - timedelta(days=1)
    if _near(last, today):
        yield f"{_tunes_end(base_of(model), last, today)} (as {provider} itself tells)."


def _service_warnings(provider: str, today: date) -> Iterator[str]:
    rows = [row for row in _tables()[1] if row.provider == provider and row.last_create_day]
    some = [row for row in rows if row.who != _EVERYBODY and _over(row.last_create_day, today)]
    if some:
        who = " and ".join(row.who for row in some)
        yield f"{provider} takes no more jobs of {who} ({some[0].doubt(today)})."
    for row in rows:
        if row.who == _EVERYBODY and _near(row.last_create_day, today):
            yield f"{_jobs_end(provider, row.last_create_day, today)} ({row.doubt(today)})."


def _model_warnings(provider: str, model: str, today: date, *, answers: bool) -> Iterator[str]:
    row = _end(provider, model)
    base = base_of(model)
    if answers and row is not None and _near(row.last_answer_day, today):
        yield f"{_tunes_end(base, row.last_answer_day, today)} ({row.doubt(today)})."
    if row is not None and _near(row.base_retires, today):
        word = "is retired there since" if _over(row.base_retires, today) else "retires there on"
        yield f"{base} itself {word} {_day(row.base_retires)}: {row.note} ({row.doubt(today)})."
    if row is not None and _over(row.last_create_day, today):
        yield (
            f"{base} could be tuned at {provider} until {_day(row.last_create_day)} "
            f"({row.doubt(today)})."
        )


def lifecycle(
    provider: str, model: str, *, today: date, ends_on: date | None = None, table: bool = True
) -> Lifecycle:
    """Return until when jobs on `model` can be created, and its tuned models answer.

    Arguments are those of `lifecycle_warnings`. Where the service ends for everybody before the
    model does, the service's day counts.
    """
    row = _end(provider, model) if table else None
    services = [
        one for one in _tables()[1] if table and one.provider == provider and one.who == _EVERYBODY
    ]
    rows: list[_Row] = [*([row] if row else []), *services]
    days = [one.last_create_day for one in rows if one.last_create_day is not None]
    answers = None if row is None else row.last_answer_day
    sources = list(dict.fromkeys(one.doubt(today) for one in rows))
    if ends_on is not None:
        answers = ends_on - timedelta(days=1)
        sources.append(f"{provider} itself tells the end of the model")
    return Lifecycle(
        provider=provider,
        model=base_of(model),
        last_job_day=min(days, default=None),
        last_answer_day=answers,
        source="; ".join(sources),
        note="" if row is None else row.note,
    )


def has_dates(provider: str) -> bool:
    """Say whether the table has anything about a provider."""
    return _known(provider)


def knows_model(provider: str, model: str) -> bool:
    """Say whether the table has a row for a model of a provider."""
    return _end(provider, model) is not None


def tunable_models(provider: str, *, today: date) -> tuple[tuple[str, date | None], ...]:
    """Return the models that the table says can still be tuned at a provider, and until when."""
    if _closed(provider, today):
        return ()
    return tuple(
        (pattern, row.last_create_day)
        for row in _tables()[0]
        if row.provider == provider and not _over(row.last_create_day, today)
        for pattern in row.patterns
        if "*" not in pattern
    )


def alternatives(provider: str, model: str, *, today: date) -> str:
    """Say what the table knows about a model that a service refuses to tune; empty = nothing."""
    row = _end(provider, model)
    parts: list[str] = []
    if row is not None:
        can = "could" if _over(row.last_create_day, today) else "can"
        parts.append(
            f"By our table {base_of(model)} {can} be tuned at {provider} "
            f"until {_day(row.last_create_day)} ({row.doubt(today)})."
        )
        if row.replacement:
            parts.append(f"The service names as replacement: {row.replacement}.")
    open_rows = [
        other
        for other in _tables()[0]
        if other is not row and other.last_create_day and not _over(other.last_create_day, today)
    ]
    for name in dict.fromkeys([provider, *(other.provider for other in open_rows)]):
        rows = [other for other in open_rows if other.provider == name][:_SHOWN_MODELS]
        if not rows or (name == provider and _closed(name, today)):
            continue
        listed = ", ".join(f"{r.names} until {_day(r.last_create_day)}" for r in rows)
        notes = "; ".join(dict.fromkeys(r.note for r in rows if r.note))
        parts.append(f"Tunable at {name}, by our table: {listed}{f' ({notes})' if notes else ''}.")
    return " ".join(parts) if row is not None or _known(provider) else ""


def _known(provider: str) -> bool:
    return any(row.provider == provider for table in _tables() for row in table)


def _closed(provider: str, today: date) -> bool:
    return any(
        row.provider == provider and row.who == _EVERYBODY and _over(row.last_create_day, today)
        for row in _tables()[1]
    )


def _near(day: date | None, today: date) -> bool:
    return day is not None and (day - today).days <= _SOON_DAYS


def _over(day: date | None, today: date) -> bool:
    return day is not None and day < today


def _day(day: date | None) -> str:
    return "a day that is not known" if day is None else day.isoformat()


def _jobs_end(provider: str, day: date | None, today: date) -> str:
    if _over(day, today):
        return f"{provider} took jobs until {_day(day)}, and takes none any more"
    return f"{provider} takes jobs until {_day(day)} only"


def _tunes_end(model: str, day: date | None, today: date) -> str:
    if _over(day, today):
        return f"{model} and its tuned models have answered until {_day(day)}, and do not any more"
    return f"{model} and its tuned models answer until {_day(day)} only"
