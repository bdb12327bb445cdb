"""What this service writes into a job in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from ftproviders.schema.job import JobSnapshot

__all__ = ["plain_job", "with_facts"]

_AUTO = -1
"""What the service writes for a hyperparameter that it has not chosen yet."""


def plain_job(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job with its undecided hyperparameters as OpenAI writes them."""
    made = dict(job)
    if isinstance(job.get("hyperparameters"), Mapping):
        made["hyperparameters"] = _plain(job["hyperparameters"])
    method = job.get("method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    inner = method.get(kind) if isinstance(method, Mapping) and isinstance(kind, str) else None
    if isinstance(method, Mapping) and isinstance(inner, Mapping):
        knobs = inner.get("hyperparameters")
        if isinstance(knobs, Mapping):
            made["method"] = {**method, kind: {**inner, "hyperparameters": _plain(knobs)}}
    # Seen to be 30 days late: no promise.
    made.pop("estimated_finish", None)
    return made


def _plain(knobs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "auto" if value == _AUTO else value for name, value in knobs.items()}


def with_facts(seen: JobSnapshot, job: Mapping[str, Any]) -> JobSnapshot:
    """Return a job with what only this service tells of it."""
    told = {"training_type": job.get("trainingType"), "suffix": job.get("suffix")}
    found = {name: value for name, value in told.items() if isinstance(value, str) and value}
    if not found:
        return seen
    facts: dict[str, JsonValue] = {**seen.facts, **found}
    if "training_type" in found:
        # Under its name as an option, so that a job like this one is trained in the same way.
        options = seen.facts.get("options")
        before = options if isinstance(options, Mapping) else {}
        facts["options"] = {**before, "training_type": found["training_type"]}
    return seen.model_copy(update={"facts": facts})
