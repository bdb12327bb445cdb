"""What the service would refuse and can be seen before anything is sent.

Numbers are those of the OpenAI API description 2.3.0; a service with others passes its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ftproviders.adapters._openai_dialect.graders import grader_problems
from ftproviders.adapters._openai_dialect.options import (
    MARKER,
    REINFORCEMENT_OPTIONS,
    DialectOptions,
)
from ftproviders.errors import ConfigurationError
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec

__all__ = ["MAXIMUM_SUFFIX", "OPENAI_LIMITS", "DialectLimits", "refuse_what_cannot_be_sent"]

MAXIMUM_SUFFIX = 64


@dataclass(frozen=True, kw_only=True)
class DialectLimits:
    """Where services with this API differ in what they take."""

    suffix_characters: int = MAXIMUM_SUFFIX
    suffix_pattern: str | None = None
    """Regular expression for the whole suffix; None = any characters."""
    suffix_words: str = ""
    """The same in words."""
    grader_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Type of a grader -> optional fields that OpenAI's description does not have."""


OPENAI_LIMITS = DialectLimits()
"""Those of OpenAI's own service."""
_METADATA_PAIRS = 16
_METADATA_NAME = 64
_METADATA_VALUE = 512


def refuse_what_cannot_be_sent(
    spec: JobSpec,
    options: DialectOptions,
    *,
    provider: str,
    limits: DialectLimits = OPENAI_LIMITS,
) -> None:
    """Hold suffix, metadata, options and grader against the API's limits.

    Raises:
        ConfigurationError: Something would be refused; all of it is named.
    """
    problems = [
        *_suffix(spec, limits),
        *_metadata(options),
        *_reinforcement(spec, options, limits),
    ]
    if problems:
        raise ConfigurationError(
            f"{provider} would refuse the job: {'; '.join(problems)}.",
            provider=provider,
            operation="plan",
            hint=f"Correct it; `ftproviders providers {provider}` lists options and limits.",
        )


def _suffix(spec: JobSpec, limits: DialectLimits) -> Iterator[str]:
    suffix, most = spec.suffix, limits.suffix_characters
    if suffix is None:
        return
    if not 1 <= len(suffix) <= most:
        yield f"suffix has {len(suffix)} characters, and may have 1 to {most}"
    elif limits.suffix_pattern and not re.fullmatch(limits.suffix_pattern, suffix):
        yield f"suffix {suffix!r} may have only {limits.suffix_words}"


def _metadata(options: DialectOptions) -> Iterator[str]:
    pairs = options.metadata
    if len(pairs) >= _METADATA_PAIRS:
        yield (
            f"metadata has {len(pairs)} pairs, and may have {_METADATA_PAIRS - 1} beside the mark "
            "of the submission"
        )
    if MARKER in pairs:
        yield f"metadata {MARKER} is the mark of the submission itself"
    for name, value in pairs.items():
        if not 1 <= len(name) <= _METADATA_NAME:
            yield f"the metadata name {name[:20]!r} may have 1 to {_METADATA_NAME} characters"
        if len(value) > _METADATA_VALUE:
            yield f"metadata {name[:20]!r} may have {_METADATA_VALUE} characters"


def _reinforcement(spec: JobSpec, options: DialectOptions, limits: DialectLimits) -> Iterator[str]:
    if spec.method is not Method.REINFORCEMENT:
        stated = [name for name in REINFORCEMENT_OPTIONS if getattr(options, name) is not None]
        if stated:
            yield f"{', '.join(stated)} belong to method reinforcement, not {spec.method.value}"
        return
    if options.grader is None:
        yield "method reinforcement needs option grader"
    else:
        yield from grader_problems(options.grader, further=limits.grader_fields)
