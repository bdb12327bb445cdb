"""The table of tuning methods, and what numbers say of its cells."""

from __future__ import annotations

from typing import Any

import pytest

from ftproviders.planning.methods import measurement_plan, method_table, verdicts
from ftproviders.schema.methods import (
    MethodMeasurements,
    ShardingMeasurement,
    TuningMeasurement,
)

TOTAL = 1_000_000


def tuning(name: str, own: int, *, trained: int = 10_000, dtype: str = "bf16") -> TuningMeasurement:
    return TuningMeasurement(
        name=name,
        tuning=name.split(maxsplit=1)[0],
        dtype=dtype,
        trainable_parameters=trained,
        total_parameters=TOTAL,
        peak_bytes=own + 500,
        library_bytes=500,
        tokens_per_second=100.0,
        held_out_loss=1.0,
    )


def held(strategy: str, kind: str, size: int, *, trained: int = TOTAL) -> ShardingMeasurement:
    return ShardingMeasurement(
        name=f"{strategy} {kind}",
        strategy=strategy,
        tuning=kind,
        parameter_bytes=size,
        gradient_bytes=size,
        optimizer_bytes=2 * size,
        trainable_parameters=trained,
        total_parameters=TOTAL,
    )


TUNINGS = (
    tuning("lora", 100),
    tuning("lora fp32", 180, dtype="fp32"),
    tuning("qlora", 90),
    tuning("dora", 120),
    tuning("full", 200, trained=TOTAL),
    tuning("full fp32", 400, trained=TOTAL, dtype="fp32"),
)
SHARDING = (
    held("one process", "full", 100),
    held("one process", "lora", 100, trained=1000),
    held("one process", "dora", 100, trained=1000),
    held("ddp", "full", 100),
    held("ddp", "lora", 100, trained=1000),
    held("ddp", "dora", 100, trained=1000),
    held("zero1", "full", 75),
    held("zero2", "full", 63),
    held("zero3", "full", 50),
)


def measured(**changes: Any) -> MethodMeasurements:
    given = {"tunings": TUNINGS, "sharding": SHARDING, **changes}
    return MethodMeasurements(provider="p", base_model="m", conditions={}, **given)


def test_the_table_has_the_six_corrected_cells() -> None:
    table = method_table()
    assert table.columns == ("LoRA", "QLoRA", "PEFT", "DeepSpeed", "ZeRO", "DoRA")
    assert len(table.scenarios) == 9
    corrected = {(row.key, column) for row in table.scenarios for column in row.corrected}
    assert corrected == {
        ("memory", "LoRA"), ("memory", "PEFT"), ("parameters", "LoRA"), ("cost", "PEFT"),
        ("cost", "DoRA"), ("sharding", "DoRA"),
    }  # fmt: skip
    no = {(row.key, c) for row in table.scenarios for c, yes in row.cells.items() if not yes}
    assert no == {
        ("parameters", "DeepSpeed"), ("parameters", "ZeRO"), ("sharding", "LoRA"),
        ("sharding", "QLoRA"), ("sharding", "PEFT"), ("sharding", "DoRA"),
    }  # fmt: skip
    assert all(row.cells.keys() == set(table.columns) for row in table.scenarios)


def test_numbers_of_the_expected_kind_agree_in_every_cell() -> None:
    found = verdicts(measured())
    assert [one for one in found if not one.agrees] == []
    # QLoRA was not run with plain data parallelism, so that one cell has no verdict.
    assert len(found) == 4 * 6 - 1
    assert all(one.numbers for one in found)


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        (
            {"tunings": (*TUNINGS[:2], tuning("qlora", 201), *TUNINGS[3:])},
            {("memory", "QLoRA"), ("memory", "PEFT"), ("cost", "QLoRA"), ("cost", "PEFT")},
        ),
        (
            # Below the whole model, and above LoRA beside a base model in fp32.
            {"tunings": (*TUNINGS[:2], tuning("qlora", 190), *TUNINGS[3:])},
            {("memory", "QLoRA"), ("memory", "PEFT"), ("cost", "QLoRA"), ("cost", "PEFT")},
        ),
        (
            # Compared with the whole model in the same data type, not with any.
            {"tunings": (tuning("lora", 401, dtype="fp32"), *TUNINGS[2:])},
            {("memory", "LoRA"), ("memory", "PEFT"), ("cost", "LoRA"), ("cost", "PEFT")},
        ),
        (
            {"tunings": (*TUNINGS[:3], tuning("dora", 120, trained=TOTAL), *TUNINGS[4:])},
            {("parameters", "DoRA"), ("parameters", "PEFT")},
        ),
        (
            {"sharding": (*SHARDING[:4], held("ddp", "lora", 50, trained=1000), *SHARDING[5:])},
            {("sharding", "LoRA")},
        ),
        (
            {"sharding": (*SHARDING[:8], held("zero3", "full", 99))},
            {(key, c) for key in ("memory", "cost", "sharding") for c in ("DeepSpeed", "ZeRO")},
        ),
    ],
)
def test_a_number_that_contradicts_is_found(
    changes: dict[str, Any], cells: set[tuple[str, str]]
) -> None:
    found = verdicts(measured(**changes))
    assert {(one.key, one.column) for one in found if not one.agrees} >= cells - {
        ("sharding", "PEFT")
    }
    assert {(one.key, one.column) for one in found if not one.agrees} - cells <= {
        ("sharding", "PEFT")
    }


def test_what_was_not_run_has_no_verdict() -> None:
    assert verdicts(measured(tunings=(), sharding=())) == ()
    found = verdicts(measured(sharding=()))
    assert {one.column for one in found} == {"LoRA", "QLoRA", "PEFT", "DoRA"}


def test_the_rows_held_out_are_not_trained_on() -> None:
    plan = measurement_plan()
    training, held_out = plan.rows()
    assert len(held_out) == plan.held_out_rows
    assert 150 < len(training) <= 180
    assert not set(training) & set(held_out)
