"""The table of methods, from numbers: real trainings of a tiny model, real pieces of two processes.

Memory is held against the table by ``ftproviders methods --measure`` itself, on a model whose
weights count beside the libraries; here are the rows that size does not change.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftproviders.adapters.local.measuring import measure
from ftproviders.errors import JobFailedError
from ftproviders.planning.methods import method_table, verdicts
from ftproviders.schema.methods import MethodMeasurements
from tests.local.conftest import ANSWERS, Bench, chat

TUNINGS = (("lora", "lora", "fp32"), ("dora", "dora", "fp32"), ("full", "full", "fp32"))


def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(chat(q, a)) + "\n" for q, a in ANSWERS.items()))
    return path


@pytest.fixture
def measured(bench: Bench, tmp_path: Path) -> MethodMeasurements:
    told: list[str] = []
    found = measure(
        bench.settings,
        base_model=str(bench.base),
        training_file=rows(tmp_path),
        held_out_file=rows(tmp_path),
        steps=4,
        batch_size=2,
        tunings=TUNINGS,
        on_progress=told.append,
    )
    assert len(told) == len(TUNINGS) + 1
    return found


@pytest.mark.timeout(600)
def test_measured_cells_equal_the_table(bench: Bench, measured: MethodMeasurements) -> None:
    lora, dora, full = measured.tunings
    assert full.trainable_parameters == full.total_parameters
    assert lora.trainable_parameters < dora.trainable_parameters < full.trainable_parameters
    for one in measured.tunings:
        # A process that has imported torch is some hundred megabytes; the model adds to that.
        assert 100e6 < one.library_bytes < one.peak_bytes
        assert one.tokens_per_second > 0
        assert 0 < one.held_out_loss < 20
        assert one.dtype == "float32"
    sharding = {one.name: one for one in measured.sharding}
    alone = sharding["one process full"]
    assert alone.parameter_bytes == 4 * alone.total_parameters
    assert alone.gradient_bytes == alone.parameter_bytes
    assert alone.optimizer_bytes == 2 * alone.parameter_bytes
    assert sharding["ddp full"].total_bytes == alone.total_bytes
    assert sharding["fsdp full"].total_bytes == pytest.approx(alone.total_bytes / 2, rel=0.01)
    if measured.missing is None:
        zero1, zero2, zero3 = (sharding[f"zero{stage} full"] for stage in (1, 2, 3))
        whole = alone.parameter_bytes
        # Half of the moments, and of the copy of the weights that they belong to.
        for one in (zero1, zero2, zero3):
            assert one.optimizer_bytes == pytest.approx(1.5 * whole, rel=0.01)
        assert zero2.gradient_bytes == pytest.approx(whole / 2, rel=0.01)
        assert (zero1.parameter_bytes, zero2.parameter_bytes) == (whole, whole)
        assert zero3.parameter_bytes == pytest.approx(whole / 2, rel=0.01)
    found = [one for one in verdicts(measured) if one.key in ("parameters", "sharding")]
    assert [one for one in found if not one.agrees] == []
    columns = {one.column for one in found if one.key == "sharding"}
    zero = {"DeepSpeed", "ZeRO"} if measured.missing is None else set()
    assert columns == {"LoRA", "PEFT", "DoRA"} | zero
    assert {one.key for one in verdicts(measured)} <= {row.key for row in method_table().scenarios}
    # Nothing is left in the user's own folders.
    assert not (bench.settings.home / "local" / "runs").exists()


def test_a_training_that_fails_is_said_by_name(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "nothing.jsonl"
    path.write_text(json.dumps(chat("a", "b", weight=0)) + "\n")
    with pytest.raises(JobFailedError, match=r"The training with dora did not succeed: .*line"):
        measure(
            bench.settings,
            base_model=str(bench.base),
            training_file=path,
            held_out_file=path,
            steps=1,
            batch_size=1,
            tunings=TUNINGS[1:2],
            on_progress=lambda _text: None,
        )
