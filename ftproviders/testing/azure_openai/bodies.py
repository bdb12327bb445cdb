"""The create request of Azure's: OpenAI's, and what only this service takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ftproviders.testing.openai.bodies import (
    CreateJob,
    Dpo,
    DpoMethod,
    JobMethod,
    Reinforcement,
    ReinforcementMethod,
    Supervised,
    SupervisedMethod,
    check_grader,
)

__all__ = ["CreateAzureJob"]

_THRESHOLD = ("text_similarity", "score_model", "multi")


def _check(grader: dict[str, Any]) -> dict[str, Any]:
    """Hold a grader to OpenAI's rules, but for the threshold that some have here."""
    check_grader(_without_threshold(grader))
    return grader


def _without_threshold(grader: Mapping[str, Any]) -> dict[str, Any]:
    known = grader.get("type") in _THRESHOLD
    plain = {k: v for k, v in grader.items() if not (known and k == "pass_threshold")}
    inner = plain.get("graders")
    if isinstance(inner, Mapping):
        plain["graders"] = {
            name: _without_threshold(one) if isinstance(one, Mapping) else one
            for name, one in inner.items()
        }
    return plain


_Loss = Annotated[float, Field(ge=0, le=1)]
_L2 = Annotated[float, Field(ge=0)]


class _AzureSupervised(Supervised):
    prompt_loss_weight: _Loss | None = None
    l2_multiplier: _L2 | None = None


class _AzureDpo(Dpo):
    prompt_loss_weight: _Loss | None = None
    l2_multiplier: _L2 | None = None


class _AzureReinforcement(Reinforcement):
    prompt_loss_weight: _Loss | None = None
    l2_multiplier: _L2 | None = None


class _SupervisedMethod(SupervisedMethod):
    hyperparameters: _AzureSupervised | None = None


class _DpoMethod(DpoMethod):
    hyperparameters: _AzureDpo | None = None


class _ReinforcementMethod(ReinforcementMethod):
    grader: Annotated[dict[str, Any], AfterValidator(_check)]
    hyperparameters: _AzureReinforcement | None = None
    tools: list[dict[str, Any]] | None = None
    max_episode_steps: Annotated[int, Field(ge=1)] | None = None


class _Method(JobMethod):
    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: _SupervisedMethod | None = None
    dpo: _DpoMethod | None = None
    reinforcement: _ReinforcementMethod | None = None


class CreateAzureJob(CreateJob):
    """``POST /fine_tuning/jobs`` at Azure."""

    method: _Method | None = None
    suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    trainingType: str | None = None  # noqa: N815 - the service's own spelling
