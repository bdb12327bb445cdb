"""The dated table of tuning methods, ``methods.toml``, and what measurements say of its cells."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ftproviders.schema.methods import (
    MethodMeasurements,
    MethodScenario,
    MethodTable,
    MethodVerdict,
    ShardingMeasurement,
    TuningMeasurement,
)

__all__ = ["MeasurementPlan", "measurement_plan", "method_table", "verdicts"]

_Answer = tuple[bool, str]
"""What was measured, and the numbers."""

_TUNINGS: Mapping[str, tuple[str, ...]] = {
    "LoRA": ("lora",),
    "QLoRA": ("qlora",),
    "DoRA": ("dora",),
    "PEFT": ("lora", "qlora", "dora"),
}
"""Column -> the tunings that stand for it: PEFT is what all three are."""
_STRATEGIES: Mapping[str, tuple[str, ...]] = {
    "DeepSpeed": ("zero1", "zero2", "zero3"),
    "ZeRO": ("zero1", "zero2", "zero3"),
}
_WHOLE = "one process"
_EXACT_LORA = "lora fp32"
_NOTICEABLE = 0.95
"""Less than this share of the bytes counts as less; padding of pieces is no saving."""


@dataclass(frozen=True, kw_only=True)
class MeasurementPlan:
    """What is measured unless somebody says otherwise."""

    provider: str
    base_model: str
    data_package: str
    """Package that holds the data."""
    data_file: str
    """Chat JSONL in that package."""
    held_out_rows: int
    """How many of the last rows are not trained on."""
    steps: int
    batch_size: int

    def rows(self) -> tuple[list[str], list[str]]:
        """Return the lines to train on, and those held out."""
        text = files(self.data_package).joinpath(self.data_file).read_text(encoding="utf-8")
        lines = [line for line in text.split("\n") if line.strip()]
        held_out = lines[-self.held_out_rows :]
        # Some rows are there more than once.
        return [line for line in lines if line not in held_out], held_out


def measurement_plan() -> MeasurementPlan:
    """Return what is measured unless somebody says otherwise."""
    return MeasurementPlan(**_content()["measurement"])


@cache
def _content() -> dict[str, Any]:
    text = files("ftproviders.planning").joinpath("methods.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def method_table() -> MethodTable:
    """Return the table."""
    content = _content()
    columns = tuple(content["columns"])
    return MethodTable(
        columns=columns,
        scenarios=tuple(_scenario(row, columns) for row in content["scenarios"]),
        source=content["source"],
        as_of=content["as_of"],
        note=content["note"],
    )


def _scenario(row: Mapping[str, Any], columns: tuple[str, ...]) -> MethodScenario:
    cells = {column: column in row["yes"] for column in columns}
    return MethodScenario.model_validate(
        {**{k: v for k, v in row.items() if k != "yes"}, "cells": cells}
    )


def verdicts(
    measured: MethodMeasurements, table: MethodTable | None = None
) -> tuple[MethodVerdict, ...]:
    """Hold the table's measured rows against numbers; what was not run has no verdict.

    Args:
        measured: The numbers.
        table: Whose cells; default the one of this package.
    """
    judges: Mapping[str, Callable[[MethodMeasurements, str], _Answer | None]] = {
        "cost": _memory,
        "memory": _memory,
        "parameters": _parameters,
        "sharding": _sharding,
    }
    return tuple(
        MethodVerdict(key=row.key, column=column, table=said, measured=answer[0], numbers=answer[1])
        for row in (table or method_table()).scenarios
        if row.key in judges
        for column, said in row.cells.items()
        if (answer := judges[row.key](measured, column)) is not None
    )


def _memory(measured: MethodMeasurements, column: str) -> _Answer | None:
    if column in _STRATEGIES:
        return _pieces(measured, column)
    pairs = list(_beside_full(measured, column))
    if not pairs:
        return None
    told = ", ".join(f"{_mega(a.own_bytes)} for {a.name} and {_mega(b.own_bytes)} for {b.name}"
                     for a, b in pairs)  # fmt: skip
    return all(a.own_bytes < b.own_bytes for a, b in pairs), told


def _beside_full(
    measured: MethodMeasurements, column: str
) -> Iterator[tuple[TuningMeasurement, TuningMeasurement]]:
    """Yield each measurement of a column with that of the whole model in the same data type.

    A quantised base model must also take less than LoRA beside one in fp32.
    """
    whole = {one.dtype: one for one in measured.tunings if one.tuning == "full"}
    exact = [one for one in measured.tunings if one.name == _EXACT_LORA]
    for one in measured.tunings:
        if one.tuning in _TUNINGS[column] and one.dtype in whole:
            yield one, whole[one.dtype]
            if one.tuning == "qlora":
                yield from ((one, other) for other in exact)


def _parameters(measured: MethodMeasurements, column: str) -> _Answer | None:
    if column in _STRATEGIES:
        found = [(s.trainable_parameters, s.total_parameters) for s in _runs(measured, column)]
    else:
        chosen = [one for one in measured.tunings if one.tuning in _TUNINGS[column]]
        found = [(one.trainable_parameters, one.total_parameters) for one in chosen]
    if not found:
        return None
    told = ", ".join(f"{trained:,} of {total:,}" for trained, total in found)
    return all(trained < total for trained, total in found), told


def _sharding(measured: MethodMeasurements, column: str) -> _Answer | None:
    if column in _STRATEGIES:
        return _pieces(measured, column)
    found = [
        one for one in measured.sharding if one.strategy == "ddp" and one.tuning in _TUNINGS[column]
    ]
    alone = {one.tuning: one for one in measured.sharding if one.strategy == _WHOLE}
    pairs = [(one, alone[one.tuning]) for one in found if one.tuning in alone]
    return _less(pairs) if pairs else None


def _pieces(measured: MethodMeasurements, column: str) -> _Answer | None:
    alone = {one.tuning: one for one in measured.sharding if one.strategy == _WHOLE}
    pairs = [(one, alone[one.tuning]) for one in _runs(measured, column) if one.tuning in alone]
    return _less(pairs) if pairs else None


def _runs(measured: MethodMeasurements, column: str) -> list[ShardingMeasurement]:
    return [one for one in measured.sharding if one.strategy in _STRATEGIES[column]]


def _less(pairs: list[tuple[ShardingMeasurement, ShardingMeasurement]]) -> _Answer:
    told = ", ".join(
        f"{_mega(one.total_bytes)} each with {one.name}, {_mega(alone.total_bytes)} alone"
        for one, alone in pairs
    )
    return all(one.total_bytes < _NOTICEABLE * alone.total_bytes for one, alone in pairs), told


def _mega(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 10_000_000 else f"{size / 1e6:,.0f} MB"
