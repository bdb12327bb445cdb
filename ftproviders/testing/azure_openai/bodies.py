"""The create request of Azure's: OpenAI's, and what only this service takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ftproviders.testing.openai.bodies import CreateJob, parse

__all__ = ["CreateAzureJob", "parse_job"]

_THRESHOLD = ("text_similarity", "score_model", "multi")


class CreateAzureJob(CreateJob):
    """``POST /fine_tuning/jobs`` at Azure."""

    suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    trainingType: str | None = None  # noqa: N815 - the service's own spelling


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Hyperparameters(_Strict):
    """Those that OpenAI's description does not have."""

    prompt_loss_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    l2_multiplier: Annotated[float, Field(ge=0)] | None = None


class _Reinforcement(_Strict):
    """What stands beside the grader."""

    tools: list[dict[str, Any]] | None = None
    max_episode_steps: Annotated[int, Field(ge=1)] | None = None


def parse_job(body: object) -> CreateAzureJob:
    """Read a create request; what OpenAI's does not have is held to its rules and left out.

    Raises:
        ApiError: It breaks a rule; told is the first one.
    """
    method = body.get("method") if isinstance(body, Mapping) else None
    kind = method.get("type") if isinstance(method, Mapping) else None
    inner = method.get(kind) if isinstance(method, Mapping) and isinstance(kind, str) else None
    if not isinstance(body, Mapping) or not isinstance(method, Mapping):
        return parse(CreateAzureJob, body)
    if not isinstance(inner, Mapping):
        return parse(CreateAzureJob, body)
    plain = dict(inner)
    if kind == "reinforcement":
        _take(plain, _Reinforcement)
    if isinstance(plain.get("hyperparameters"), Mapping):
        knobs = dict(plain["hyperparameters"])
        _take(knobs, _Hyperparameters)
        plain["hyperparameters"] = knobs
    if isinstance(plain.get("grader"), Mapping):
        plain["grader"] = _without_threshold(plain["grader"])
    return parse(CreateAzureJob, {**body, "method": {**method, kind: plain}})


def _take(fields: dict[str, Any], kind: type[_Strict]) -> None:
    """Take the fields of `kind` out, held to its rules."""
    names = [name for name in kind.model_fields if name in fields]
    parse(kind, {name: fields.pop(name) for name in names})


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
