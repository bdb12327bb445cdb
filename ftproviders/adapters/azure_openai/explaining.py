"""The service's refusals and failures in our words, by the table of `traps`."""

from __future__ import annotations

from collections.abc import Mapping

from ftproviders.adapters._openai_dialect.explaining import Explanation, by_code
from ftproviders.adapters._openai_dialect.limits import DialectLimits
from ftproviders.adapters._openai_dialect.refusals import Decoder, Refusal
from ftproviders.adapters.azure_openai.safety import read_rejection
from ftproviders.adapters.azure_openai.tokens import Tokens
from ftproviders.adapters.azure_openai.traps import decode
from ftproviders.errors import AuthenticationError, InvalidRequestError
from ftproviders.schema.job import JobFailure, JobSnapshot

__all__ = ["LIMITS", "decoder", "with_safety"]

_THRESHOLD: Mapping[str, frozenset[str]] = dict.fromkeys(
    ("text_similarity", "score_model", "multi"), frozenset({"pass_threshold"})
)
LIMITS = DialectLimits(
    suffix_characters=40,
    suffix_pattern=r"[A-Za-z0-9_-]+",
    suffix_words="letters, digits, dashes and underscores (dots are sent as dashes)",
    grader_fields=_THRESHOLD,
)
"""Suffix: the longest that one page of the documentation allows; 18, 34 and 64 are named, too."""


def decoder(tokens: Tokens | None) -> Decoder:
    """Return what the errors of the data plane mean.

    Args:
        tokens: Where the tokens come from, which learns of a 401; None = there is a key.
    """

    def meaning(refusal: Refusal, operation: str) -> Explanation | None:
        status = refusal.status or 0
        if status < 400:
            return None
        row = decode(
            "data",
            operation=operation,
            status=status,
            code=refusal.code or refusal.type,
            message=refusal.message,
        )
        if row is not None and row.kind is not None:
            # Another scope may be the right one: nothing was carried out, so it may go again.
            again = row.kind is AuthenticationError and tokens is not None and tokens.refused()
            return Explanation(
                kind=row.kind, cause=row.cause, fix=row.fix, passing=row.passing or again
            )
        known = by_code(refusal.code) or by_code(refusal.type)
        if status == 400 and operation == "create" and known is None and refusal.param is None:
            # Unlike OpenAI's own service, this one is not ending: a plain 400 is a plain mistake.
            return Explanation(kind=InvalidRequestError, fix="Correct what the message names.")
        return None

    return meaning


def with_safety(seen: JobSnapshot) -> JobSnapshot:
    """Return a failed job with what its error means, and what a safety check has found."""
    error = seen.error
    if error is None:
        return seen
    rejected = read_rejection(error.message)
    facts = dict(seen.facts)
    if rejected is not None:
        facts["safety"] = {"rejected": rejected.stage, "categories": list(rejected.categories)}
    row = decode("job", code=error.code, message=error.message)
    if row is None:
        return seen.model_copy(update={"facts": facts})
    hint = f"{row.cause} {row.fix}".replace("{provider}", seen.ref.provider)
    told = JobFailure(message=error.message, code=error.code, param=error.param, hint=hint)
    return seen.model_copy(update={"error": told, "facts": facts})
