"""Job options that every service with this API has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ftproviders.provider.options import ProviderOptions
from ftproviders.schema.value import FrozenJson, FrozenText, Value

__all__ = ["MARKER", "REINFORCEMENT_OPTIONS", "DialectOptions", "WandbOptions"]

MARKER = "ftproviders_submission"
"""Name of the metadata that carries a submission's id."""
REINFORCEMENT_OPTIONS = (
    "grader",
    "reasoning_effort",
    "compute_multiplier",
    "eval_interval",
    "eval_samples",
)
"""Options that only method ``reinforcement`` has."""

_Auto = Literal["auto"]


class WandbOptions(Value):
    """Where Weights & Biases shall put the run. The key is entered at the service, never here."""

    project: str
    name: str | None = None
    entity: str | None = None
    tags: tuple[str, ...] = ()


def _project(given: Any) -> Any:
    # `-o wandb=my-project` is enough for most.
    return {"project": given} if isinstance(given, str) else given


def _plain(given: Any) -> Any:
    """Read numbers and truth values of a YAML file or of `-o` as the texts that metadata are."""
    if not isinstance(given, Mapping):
        return given
    return {k: v if isinstance(v, str) else str(v) for k, v in given.items()}


class DialectOptions(ProviderOptions):
    """Options of one job. Bounds are those of the OpenAI API description 2.3.0."""

    metadata: Annotated[FrozenText, BeforeValidator(_plain)] = {}  # noqa: RUF012 - pydantic copies defaults
    """Up to 15 pairs that the service keeps with the job; our own mark is the sixteenth."""
    wandb: Annotated[WandbOptions, BeforeValidator(_project)] | None = None
    """Weights & Biases: a project, or an object with project, name, entity and tags."""
    grader: FrozenJson | None = None
    """Reinforcement, needed: what scores an answer; an object as the API reference has it."""
    reasoning_effort: Literal["default", "low", "medium", "high"] | None = None
    """Reinforcement: how long the model thinks in training."""
    compute_multiplier: Annotated[float, Field(gt=1e-5, le=10)] | _Auto | None = None
    """Reinforcement: how much is explored for each row; more costs more."""
    eval_interval: Annotated[int, Field(ge=1)] | _Auto | None = None
    """Reinforcement: training steps between two evaluations."""
    eval_samples: Annotated[int, Field(ge=1)] | _Auto | None = None
    """Reinforcement: answers drawn for each validation row."""
