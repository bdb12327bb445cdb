"""Dated prices from ``prices.toml``. A price that is not there is unknown."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from ftproviders.errors import ConfigurationError
from ftproviders.planning.lifecycle import base_of
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.plan import CostEstimate
from ftproviders.schema.value import Value

__all__ = [
    "HostingPrice",
    "TrainingPrice",
    "estimate",
    "hosting_notes",
    "hosting_price",
    "read_prices",
]

_STALE_DAYS = 90


class TrainingPrice(Value):
    """What a million trained tokens cost, and who said so when."""

    provider: str
    model: str
    method: Method = Method.SUPERVISED
    usd_per_million_tokens: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    as_of: date
    mark: str = "U"
    """D = vendor documentation, R = vendor repository, S = secondary source, U = the user's own."""
    source: str = "prices_file"
    training_type: str | None = None
    """Way of training that the price is for, where a provider has several."""


_ROWS = TypeAdapter(tuple[TrainingPrice, ...])


@dataclass(frozen=True, kw_only=True)
class HostingPrice:
    """What a deployment costs for being there, used or not, and who said so when."""

    provider: str
    tier: str
    """The host's word for how it is hosted."""
    usd_per_hour: float
    as_of: date
    mark: str
    source: str


@cache
def _hosting_prices() -> tuple[HostingPrice, ...]:
    text = files("ftproviders.planning").joinpath("prices.toml").read_text(encoding="utf-8")
    return tuple(HostingPrice(**row) for row in tomllib.loads(text)["hosting"])


def hosting_price(provider: str, tier: str | None) -> HostingPrice | None:
    """Return the dated price of a tier, however its letters are cased; None = unknown, not 0."""
    wanted = (provider, (tier or "").lower())
    return next((p for p in _hosting_prices() if (p.provider, p.tier.lower()) == wanted), None)


def hosting_notes(provider: str, *, today: date) -> tuple[str, ...]:
    """Say what being deployed will cost, used or not: often more than the training."""
    rates: dict[float, list[HostingPrice]] = {}
    for row in _hosting_prices():
        if row.provider == provider:
            rates.setdefault(row.usd_per_hour, []).append(row)
    return tuple(_hosting_note(rate, rows, today) for rate, rows in rates.items())


def _hosting_note(rate: float, rows: list[HostingPrice], today: date) -> str:
    tiers = ", ".join(row.tier for row in rows)
    first = rows[0]
    old = "; more than 90 days old" if (today - first.as_of).days > _STALE_DAYS else ""
    doubt = f"{first.source}, read {first.as_of.isoformat()}{old}"
    if not rate:
        return f"A deployment ({tiers}), where the model has that, has no hourly fee ({doubt})."
    return (
        f"A deployment ({tiers}) costs {rate:g} USD an hour, used or not: {rate * 24:,.2f} USD a "
        f"day, {rate * 24 * 30:,.0f} USD in 30 days ({doubt})."
    )


@cache
def _training_prices() -> tuple[TrainingPrice, ...]:
    text = files("ftproviders.planning").joinpath("prices.toml").read_text(encoding="utf-8")
    return _ROWS.validate_python(tomllib.loads(text)["training"])


def read_prices(file: Path) -> tuple[TrainingPrice, ...]:
    """Read a user's own prices: a TOML file with ``[[training]]`` rows.

    Raises:
        ConfigurationError: It cannot be read, or a row is not one.
    """
    hint = (
        "A row is [[training]] with provider, model, usd_per_million_tokens, as_of (a date) and, "
        "if it is not supervised, method. Correct the file, or unset prices_file."
    )
    try:
        content = tomllib.loads(file.expanduser().read_text(encoding="utf-8"))
        return _ROWS.validate_python(content.get("training", ()))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.", hint=hint) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        row, *field = first["loc"] or ("",)
        where = f"training row {row + 1}" if isinstance(row, int) else "training"
        name = f", {'.'.join(map(str, field))}" if field else ""
        raise ConfigurationError(f"{file}: {where}{name}: {first['msg']}.", hint=hint) from error
    except ValueError as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}.", hint=hint) from error


def estimate(
    provider: str,
    model: str,
    method: Method,
    *,
    trained_tokens: int | None,
    today: date,
    epoch_tokens: int = 0,
    own: Sequence[TrainingPrice] = (),
    table: bool = True,
    training_type: str | None = None,
) -> CostEstimate:
    """Estimate a training run from the dated table.

    Formula: trained tokens / 1,000,000 x price, with trained tokens = tokens of the file x epochs.
    A model that was tuned before has the price of its base. `epoch_tokens` are those of one epoch,
    for the case that the number of epochs is not known. `own` prices of the user go before the
    table, which is left out where it does not speak of the service that is called. With a
    `training_type`, prices of others do not count; one of the user's without any counts for all.
    """
    models = (model, base_of(model))
    rows = [
        p
        for p in (*own, *(_training_prices() if table else ()))
        if p.provider == provider and p.model in models and p.method is method
    ]
    fitting = (training_type, None) if training_type else (None,)
    row = next((p for p in rows if training_type is None or p.training_type in fitting), None)
    if row is None:
        way = f", training type {training_type}" if training_type and rows else ""
        return CostEstimate(basis=f"no dated price for {model} on {provider}{way}")
    if trained_tokens is None:
        one = epoch_tokens * row.usd_per_million_tokens / 1_000_000
        each = f"; an epoch is about {one:.3g} USD, and 1 to 3 are usual" if one else ""
        return CostEstimate(
            basis=f"{row.usd_per_million_tokens:g} USD per million trained tokens, but the number "
            f"of epochs is the provider's choice{each}",
            source=row.source,
            as_of=row.as_of,
        )
    doubts = []
    if row.mark == "S":
        doubts.append("from a secondary source")
    if (today - row.as_of).days > _STALE_DAYS:
        doubts.append(f"the price is of {row.as_of.isoformat()}")
    doubt = f" ({', '.join(doubts)})" if doubts else ""
    return CostEstimate(
        usd=round(trained_tokens * row.usd_per_million_tokens / 1_000_000, 4),
        basis=f"{trained_tokens:,} trained tokens x {row.usd_per_million_tokens:g} USD per "
        f"million{doubt}",
        source=row.source,
        as_of=row.as_of,
    )
