"""What the service would refuse and can be seen before anything is sent.

Numbers are those of the OpenAI API description 2.3.0; a service with others passes its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftproviders.adapters._openai_dialect.graders import grader_problems
from ftproviders.adapters._openai_dialect.options import (
    MARKER,
    REINFORCEMENT_OPTIONS,
    DialectOptions,
)
from ftproviders.errors import ConfigurationError
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec

__all__ = ["MAXIMUM_SUFFIX", "refuse_what_cannot_be_sent"]

MAXIMUM_SUFFIX = 64
_METADATA_PAIRS = 16
_METADATA_NAME = 64
_METADATA_VALUE = 512


def refuse_what_cannot_be_sent(
    spec: JobSpec,
    options: DialectOptions,
    *,
    provider: str,
    maximum_suffix: int = MAXIMUM_SUFFIX,
) -> None:
    """Hold suffix, metadata, options and grader against the API's limits.

    Raises:
        ConfigurationError: Something would be refused; all of it is named.
    """
    problems = [
        *_suffix(spec, maximum_suffix),
        *_metadata(options),
        *_reinforcement(spec, options),
    ]
    if problems:
        raise ConfigurationError(
            f"{provider} would refuse the job: {'; '.join(problems)}.",
            provider=provider,
            operation="plan",
            hint=f"Correct it; `ftproviders providers {provider}` lists options and limits.",
        )


def _suffix(spec: JobSpec, maximum: int) -> Iterator[str]:
    if spec.suffix is not None and not 1 <= len(spec.suffix) <= maximum:
        yield f"suffix has {len(spec.suffix)} characters, and may have 1 to {maximum}"


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


def _reinforcement(spec: JobSpec, options: DialectOptions) -> Iterator[str]:
    if spec.method is not Method.REINFORCEMENT:
        stated = [name for name in REINFORCEMENT_OPTIONS if getattr(options, name) is not None]
        if stated:
            yield f"{', '.join(stated)} belong to method reinforcement, not {spec.method.value}"
        return
    if options.grader is None:
        yield "method reinforcement needs option grader"
    else:
        yield from grader_problems(options.grader)
