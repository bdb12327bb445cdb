"""Ours -> theirs: the body of a create request, and of a chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.adapters._openai_dialect.options import (
    MARKER,
    REINFORCEMENT_OPTIONS,
    DialectOptions,
)
from ftproviders.provider import ProviderInfo
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import FileRef, JobSpec

__all__ = ["chat_body", "create_body"]

_COMPLETION_TOKENS = ("o1", "o3", "o4", "gpt-5", "gpt-6")
"""Families that refuse ``max_tokens``; older servers know nothing but it."""


def create_body(
    info: ProviderInfo,
    spec: JobSpec,
    *,
    options: DialectOptions,
    files: Sequence[FileRef],
    submission_id: str,
) -> dict[str, Any]:
    """Build the body of a create request: only what was stated, only what the service takes."""
    by_purpose = {file.purpose: file.id for file in reversed(files)}
    body: dict[str, Any] = {
        "model": spec.base_model,
        "training_file": by_purpose.get("training"),
        "validation_file": by_purpose.get("validation"),
        "method": _method(info, spec, options),
        "suffix": spec.suffix,
        "seed": spec.seed,
        "metadata": {**options.metadata, MARKER: submission_id},
        "integrations": _integrations(options),
    }
    return {name: value for name, value in body.items() if value is not None}


def _method(info: ProviderInfo, spec: JobSpec, options: DialectOptions) -> dict[str, Any]:
    kind = spec.method.value
    knobs: dict[str, Any] = {
        knob.sent_as or name: value
        for name, value in spec.hyperparameters.stated.items()
        if (knob := info.hyperparameter(name, spec.method)) is not None
    }
    own: dict[str, Any] = {}
    if spec.method is Method.REINFORCEMENT:
        stated = options.model_dump(mode="json", exclude_none=True)
        own = {"grader": stated["grader"]} if "grader" in stated else {}
        knobs |= {n: stated[n] for n in REINFORCEMENT_OPTIONS[1:] if n in stated}
    if knobs:
        own["hyperparameters"] = knobs
    return {"type": kind, kind: own} if own else {"type": kind}


def _integrations(options: DialectOptions) -> list[dict[str, Any]] | None:
    if options.wandb is None:
        return None
    given = options.wandb.model_dump(mode="json", exclude_none=True)
    return [{"type": "wandb", "wandb": {k: v for k, v in given.items() if v != []}}]


def chat_body(
    model: str,
    messages: Sequence[ChatMessage],
    *,
    family: str | None = None,
    temperature: float | None,
    max_tokens: int | None,
) -> Mapping[str, Any]:
    """Build the body of a chat completion.

    Args:
        model: What to send as ``model``.
        messages: The conversation.
        family: Name that tells what sort of model it is; None = `model` does.
        temperature: Sampling temperature; None is not sent.
        max_tokens: Most tokens of the answer; None is not sent.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [m.model_dump(mode="json", exclude_none=True) for m in messages],
    }
    sort = (family or model).removeprefix("ft:")
    word = "max_completion_tokens" if sort.startswith(_COMPLETION_TOKENS) else "max_tokens"
    body |= {} if temperature is None else {"temperature": temperature}
    body |= {} if max_tokens is None else {word: max_tokens}
    return body
