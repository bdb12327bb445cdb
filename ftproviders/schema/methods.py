"""Tuning methods beside each other: what a table says of them, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import Field

from ftproviders.schema.value import FrozenJson, Value

__all__ = [
    "MethodMeasurements",
    "MethodScenario",
    "MethodTable",
    "MethodVerdict",
    "ShardingMeasurement",
    "TuningMeasurement",
]

_Bytes = Annotated[int, Field(ge=0)]


class MethodScenario(Value):
    """One row of the table: a purpose, and whether each method serves it."""

    key: str
    """Short name: ``memory``, for instance."""
    scenario: str
    cells: Mapping[str, bool]
    """Column -> whether it serves the purpose."""
    corrected: tuple[str, ...] = ()
    """Columns that an older edition of the table had the other way round."""
    note: str = ""
    """What is true, where yes and no are too short."""
    basis: str | None = None
    """What a measured cell is decided by; None = the row is not measured."""


class MethodTable(Value):
    """Scenarios and methods, as the source has them after its corrections."""

    columns: tuple[str, ...]
    scenarios: tuple[MethodScenario, ...]
    source: str
    as_of: date
    note: str = ""


class TuningMeasurement(Value):
    """One kind of tuning, trained for some steps in a process of its own."""

    name: str
    """The tuning, and its data type where that was chosen: ``lora``, ``lora fp32``."""
    tuning: str
    dtype: str
    """Data type of what is trained."""
    trainable_parameters: int
    total_parameters: int
    peak_bytes: _Bytes
    """Peak resident memory of the whole process."""
    library_bytes: _Bytes
    """Its peak after every library was imported, before a model was loaded."""
    tokens_per_second: float
    """Tokens without padding; median over the steps after the first."""
    held_out_loss: float
    """Mean loss of an assistant token on the held-out rows, after the last step."""

    @property
    def trainable_share(self) -> float:
        """Trained parameters of all, 0 to 1."""
        return self.trainable_parameters / self.total_parameters

    @property
    def own_bytes(self) -> int:
        """Peak memory above what the libraries need."""
        return self.peak_bytes - self.library_bytes


class ShardingMeasurement(Value):
    """What one of several processes holds of a small model with one strategy."""

    name: str
    """Strategy and tuning: ``zero2 full``."""
    strategy: str
    tuning: str
    parameter_bytes: _Bytes
    gradient_bytes: _Bytes
    optimizer_bytes: _Bytes
    """Moments, and the copy of the weights that the optimizer updates where there is one."""
    trainable_parameters: int
    total_parameters: int

    @property
    def total_bytes(self) -> int:
        """All three together."""
        return self.parameter_bytes + self.gradient_bytes + self.optimizer_bytes


class MethodVerdict(Value):
    """A cell of the table beside what the numbers say."""

    key: str
    column: str
    table: bool
    measured: bool
    numbers: str
    """The numbers that decided it."""

    @property
    def agrees(self) -> bool:
        """Whether they say the same."""
        return self.table is self.measured


class MethodMeasurements(Value):
    """Everything that one run measured."""

    provider: str
    base_model: str
    conditions: FrozenJson
    """Rows, steps, batch size, machine: what the numbers hold for."""
    tunings: tuple[TuningMeasurement, ...]
    sharding: tuple[ShardingMeasurement, ...]
    missing: str | None = None
    """What was not run, and why."""
    verdicts: tuple[MethodVerdict, ...] = ()
