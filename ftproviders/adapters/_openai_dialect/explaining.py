"""Errors decoded: what the service said -> why -> what to do about it.

By status, code and the field that it names, never by searching prose. Which words the service uses
is documented only in part; a code that is not in the table keeps the service's own message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftproviders.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    ModelRetiredError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
)
from ftproviders.schema.job import JobFailure

__all__ = [
    "Explanation",
    "by_code",
    "by_param",
    "by_status",
    "job_failure",
    "row_numbers",
    "rows_named",
]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What an error means."""

    kind: type[ProviderError]
    cause: str = ""
    """A sentence, or empty where the service's own words say it."""
    fix: str
    """What to do next: a sentence."""
    passing: bool = False
    """True when nothing was carried out and the same request may succeed a little later."""


_FILE = Explanation(
    kind=InvalidRequestError,
    cause="The service does not accept the file's rows.",
    fix="Find the rows with `ftproviders validate FILE --provider {provider}`, correct them, and "
    "submit again.",
)
_FEW = Explanation(
    kind=InvalidRequestError,
    cause="The file has too few rows.",
    fix="Use at least 10 rows, then submit again.",
)
_NOT_READY = Explanation(
    kind=InvalidRequestError,
    cause="The service is not done with the file yet.",
    fix="Run the same command in some minutes; the file is not sent again.",
    passing=True,
)
_NO_FILE = Explanation(
    kind=InvalidRequestError,
    cause="The service does not have the file any more.",
    fix="Run the same command again: it sends the file anew.",
)
_QUOTA = Explanation(
    kind=QuotaExceededError,
    cause="The account's quota or credit is used up.",
    fix="Raise the limit or pay at the service's billing page; waiting alone does not help.",
)
_CLOSED = Explanation(
    kind=ModelRetiredError,
    cause="The account, or the service as a whole, takes no new fine-tuning jobs.",
    fix="Tune elsewhere: the same job file runs on another provider, for instance azure-openai or "
    "local (`ftproviders providers`).",
)
_NOT_TUNABLE = Explanation(
    kind=ModelRetiredError,
    cause="The model cannot be tuned (any more), or not by this account.",
    fix="Choose a model of `ftproviders models --provider {provider}`.",
)
_MODERATED = Explanation(
    kind=InvalidRequestError,
    cause="The data, or what the tuned model answers, was found to break the usage policies.",
    fix="Take the rows in question out of the file and submit with --again; the service's own "
    "page of the job says more.",
)
_SUFFIX = Explanation(
    kind=InvalidRequestError,
    cause="The service does not accept the suffix.",
    fix="Use 1 to 64 letters, digits and dashes for --suffix.",
)
_KNOB = Explanation(
    kind=InvalidRequestError,
    cause="The service does not accept this hyperparameter.",
    fix="Look at `ftproviders providers {provider}` for the bounds, or leave it to the service.",
)
_TOO_LARGE = Explanation(
    kind=InvalidRequestError,
    cause="The file is larger than the service takes.",
    fix="Split it with `ftproviders data split`, or leave rows out.",
)
_KEY = Explanation(
    kind=AuthenticationError,
    cause="The key was not accepted.",
    fix="Set the key of this account: `ftproviders doctor` checks it.",
)
_RIGHTS = Explanation(
    kind=PermissionDeniedError,
    cause="The key may not do this.",
    fix="Use a key with the right to fine-tune, of the organisation and project in question.",
)

_BY_CODE: Mapping[str, Explanation] = {
    **dict.fromkeys(
        ("invalid_training_file", "invalid_validation_file", "invalid_file", "invalid_file_format",
         "invalid_jsonl", "invalid_format", "file_validation_failed", "invalid_schema"), _FILE
    ),
    **dict.fromkeys(("invalid_n_examples", "too_few_examples"), _FEW),
    **dict.fromkeys(("file_not_ready", "file_not_processed"), _NOT_READY),
    "file_not_found": _NO_FILE,
    **dict.fromkeys(
        ("insufficient_quota", "exceeded_quota", "quota_exceeded", "billing_hard_limit_reached",
         "billing_not_active", "exceeded_current_quota_error"), _QUOTA
    ),
    **dict.fromkeys(
        ("fine_tuning_closed", "fine_tuning_unavailable", "fine_tuning_not_available",
         "fine_tuning_deprecated", "fine_tuning_disabled", "unsupported_organization",
         "organization_not_eligible"), _CLOSED
    ),
    **dict.fromkeys(
        ("model_not_available", "model_not_found", "model_not_tunable", "model_not_fine_tunable",
         "model_deprecated", "model_retired", "unsupported_model", "invalid_model"), _NOT_TUNABLE
    ),
    **dict.fromkeys(
        ("unsafe_file", "unsafe_training_file", "unsafe_model", "moderation", "moderation_failed",
         "moderation_blocked", "model_moderated", "content_policy_violation",
         "content_filter", "safety_check_failed", "usage_policy_violation"), _MODERATED
    ),
    "invalid_suffix": _SUFFIX,
    **dict.fromkeys(("file_too_large", "max_file_size_exceeded"), _TOO_LARGE),
    **dict.fromkeys(("invalid_api_key", "invalid_issuer", "expired_api_key"), _KEY),
    **dict.fromkeys(
        ("insufficient_permissions", "missing_scope", "missing_scopes", "permission_denied",
         "invalid_project", "mismatched_organization", "not_authorized_invalid_project"), _RIGHTS
    ),
    "rate_limit_exceeded": Explanation(
        kind=RateLimitError, fix="Wait a little and try again."
    ),
}  # fmt: skip

_BY_PARAM: Mapping[str, Explanation] = {
    "model": _NOT_TUNABLE,
    "suffix": _SUFFIX,
    "training_file": _FILE,
    "validation_file": _FILE,
    "n_epochs": _KNOB,
    "batch_size": _KNOB,
    "learning_rate_multiplier": _KNOB,
    "beta": _KNOB,
    "compute_multiplier": _KNOB,
    "grader": Explanation(
        kind=InvalidRequestError,
        cause="The service does not accept the grader.",
        fix="Correct option grader; the API reference has the fields of each type.",
    ),
}

_BY_STATUS: Mapping[int, Explanation] = {
    400: Explanation(kind=InvalidRequestError, fix="Correct what the message names."),
    401: _KEY,
    402: _QUOTA,
    403: _RIGHTS,
    404: Explanation(
        kind=NotFoundError, fix="Check the id, the address, and whose organisation the key is."
    ),
    408: Explanation(kind=ProviderTimeoutError, fix="Try again later."),
    409: Explanation(kind=ConflictError, fix="Look at how it stands now, then try again."),
    410: _CLOSED,
    413: _TOO_LARGE,
    422: Explanation(kind=InvalidRequestError, fix="Correct what the message names."),
    429: Explanation(kind=RateLimitError, fix="Wait a little and try again."),
}
_DOWN = Explanation(kind=ProviderUnavailableError, fix="Try again later.")
_MOVED = Explanation(
    kind=InvalidRequestError,
    cause="The address answers with a redirect, which is not followed: the key and the data go "
    "nowhere but to the address that was set.",
    fix="Set the address (base_url) to where the service really is.",
)
_ROWS = re.compile(
    r"\b(?:line|row|example)(?:s|\(s\))?:?\s+[\[#]?(\d{1,9}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)\d{1,9})*)",
    re.IGNORECASE,
)
"""Rows as services name them: ``Line 3``, ``Line(s) 1, 2, 3, ...``, ``examples 4, 7 and 9``."""
_SHOWN_ROWS = 5


def by_code(code: str | None) -> Explanation | None:
    """Look an error code up."""
    return _BY_CODE.get((code or "").lower())


def by_param(param: str | None) -> Explanation | None:
    """Look up the field that an error names: ``method.supervised.hyperparameters.n_epochs``."""
    parts = [part for part in re.split(r"[.\[\]]+", param or "") if part]
    return next((_BY_PARAM[part] for part in reversed(parts) if part in _BY_PARAM), None)


def by_status(status: int, *, creating: bool, named: bool) -> Explanation:
    """Look up an HTTP status.

    Args:
        status: The status.
        creating: Whether a job was to be created.
        named: Whether the answer has a code, or names a field.
    """
    if 300 <= status < 400:
        return _MOVED
    if status >= 500:
        return _DOWN
    if creating and (status == 403 or (status == 400 and not named)):
        # What a closed service says is not documented; this is what it can say in HTTP.
        return _CLOSED
    return _BY_STATUS.get(status, _BY_STATUS[400])


def row_numbers(message: str) -> tuple[int, ...]:
    """Return the rows that a message names, each once."""
    listed = (number for part in _ROWS.findall(message) for number in re.findall(r"\d+", part))
    return tuple(dict.fromkeys(int(number) for number in listed))


def rows_named(message: str) -> str:
    """Return the rows that a message names, as words; empty when it names none."""
    found = row_numbers(message)
    if not found:
        return ""
    more = ", ..." if len(found) > _SHOWN_ROWS else ""
    return f"See row {', '.join(map(str, found[:_SHOWN_ROWS]))}{more} of the file."


def job_failure(error: object, *, provider: str) -> JobFailure | None:
    """Read a job's error: null, an empty object and one full of nulls all mean that it has none."""
    if not isinstance(error, Mapping):
        return JobFailure(message=error) if isinstance(error, str) and error else None
    code, param, message = (_text(error.get(name)) for name in ("code", "param", "message"))
    if code is None and message is None:
        return None
    meaning = by_code(code) or by_param(param)
    told = message or f"the service gives only the code {code}"
    rows = row_numbers(told)
    if meaning is None:
        return JobFailure(message=told, code=code, param=param, rows=rows)
    fix = meaning.fix.replace("{provider}", provider)
    hint = " ".join(part for part in (meaning.cause, rows_named(told), fix) if part)
    return JobFailure(message=told, code=code, param=param, hint=hint, rows=rows)


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
