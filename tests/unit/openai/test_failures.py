"""Errors decoded: raw error -> cause -> fix, and what may be sent again."""

from __future__ import annotations

from typing import Any

import pytest

from ftproviders.adapters._openai_dialect.explaining import job_failure, row_numbers
from ftproviders.adapters._openai_dialect.refusals import (
    Refusal,
    explained,
    retry_after_seconds,
)
from ftproviders.errors import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    ModelRetiredError,
    NotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedResponseError,
)


def refused(status: int, *, operation: str = "create", **fields: Any) -> ProviderError:
    refusal = Refusal(kind="status", status=status, message="The service's own words", **fields)
    return explained(refusal, provider="openai", operation=operation)


CASES: list[tuple[int, dict[str, Any], type[ProviderError]]] = [
    (400, {"code": "invalid_training_file"}, InvalidRequestError),
    (400, {"code": "invalid_n_examples"}, InvalidRequestError),
    (400, {"param": "training_file", "code": "something_new"}, InvalidRequestError),
    (400, {"param": "suffix"}, InvalidRequestError),
    (400, {"param": "method.supervised.hyperparameters.n_epochs"}, InvalidRequestError),
    (400, {"param": "grader.operation"}, InvalidRequestError),
    (400, {"param": "model"}, ModelRetiredError),
    (400, {"code": "model_not_available", "param": "model"}, ModelRetiredError),
    (404, {"code": "model_not_found"}, ModelRetiredError),
    (400, {}, ModelRetiredError),
    (403, {}, ModelRetiredError),
    (403, {"code": "whatever_closed_is_called"}, ModelRetiredError),
    (410, {}, ModelRetiredError),
    (403, {"code": "insufficient_permissions"}, PermissionDeniedError),
    (401, {}, AuthenticationError),
    (401, {"code": "invalid_api_key"}, AuthenticationError),
    (402, {}, QuotaExceededError),
    (404, {}, NotFoundError),
    (408, {}, ProviderTimeoutError),
    (409, {}, ConflictError),
    (413, {}, InvalidRequestError),
    (418, {}, InvalidRequestError),
    (422, {"code": "x"}, InvalidRequestError),
    (429, {}, RateLimitError),
    (429, {"code": "rate_limit_exceeded"}, RateLimitError),
    (429, {"code": "insufficient_quota"}, QuotaExceededError),
    (429, {"type": "insufficient_quota"}, QuotaExceededError),
    (500, {"code": "invalid_training_file"}, ProviderUnavailableError),
    (502, {}, ProviderUnavailableError),
    (503, {}, ProviderUnavailableError),
    (307, {}, InvalidRequestError),
]


@pytest.mark.parametrize(("status", "fields", "kind"), CASES)
def test_refusals_of_create(status: int, fields: dict[str, Any], kind: type[ProviderError]) -> None:
    error = refused(status, request_id="req_1", raw={"error": fields}, **fields)
    assert type(error) is kind
    assert "The service's own words" in error.message
    assert error.hint
    assert (error.status_code, error.request_id) == (status, "req_1")
    assert error.raw == {"error": fields}
    assert error.maybe_executed == (status >= 500 or status == 408)


@pytest.mark.parametrize("operation", ["retrieve", "chat", "events", "upload"])
@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        (403, {}, PermissionDeniedError),
        (400, {}, InvalidRequestError),
        (404, {"code": "model_not_found", "param": "model"}, NotFoundError),
        (404, {"code": "fine_tune_not_found"}, NotFoundError),
    ],
)
def test_only_create_is_closed(
    operation: str, status: int, fields: dict[str, Any], kind: type[ProviderError]
) -> None:
    assert type(refused(status, operation=operation, **fields)) is kind


def test_how_long_the_service_asks_to_wait_is_said() -> None:
    assert "wait 900 seconds" in refused(429, retry_after=900.0).hint
    assert "asks to wait" not in refused(429).hint


def test_a_file_that_is_not_ready_is_waited_for() -> None:
    error = refused(400, code="file_not_ready", param="training_file")
    assert error.retryable
    assert not error.maybe_executed
    assert not InvalidRequestError("x").retryable, "only this one error, not its class"


def test_closed_to_new_jobs_names_a_way_out() -> None:
    error = refused(403)
    assert "takes no new fine-tuning jobs" in error.hint
    assert "another provider" in error.hint


@pytest.mark.parametrize(
    ("kind", "expected", "unclear"),
    [
        ("timeout", ProviderTimeoutError, True),
        ("broken", ProviderConnectionError, True),
        ("unsent", ProviderConnectionError, False),
        ("untrusted", ProviderConnectionError, False),
        ("unreadable", UnexpectedResponseError, True),
    ],
)
def test_a_request_that_never_left_was_not_carried_out(
    kind: Any, expected: type[ProviderError], unclear: bool
) -> None:
    error = explained(Refusal(kind=kind), provider="openai", operation="create")
    assert type(error) is expected
    assert error.maybe_executed is unclear


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        (
            {
                "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT",
                "date": "Thu, 01 Jan 2026 00:00:10 GMT",
            },
            20.0,
        ),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "-3"}, 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


# --- jobs that failed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("invalid_training_file", "does not accept the file's rows"),
        ("invalid_n_examples", "at least 10 rows"),
        ("exceeded_quota", "quota or credit"),
        ("moderation_failed", "usage policies"),
        ("unsafe_file", "usage policies"),
        ("model_not_available", "cannot be tuned"),
        ("invalid_suffix", "suffix"),
    ],
)
def test_why_a_job_failed_is_decoded(code: str, words: str) -> None:
    found = job_failure({"code": code, "message": "raw words", "param": None}, provider="openai")
    assert found is not None
    assert (found.message, found.code) == ("raw words", code)
    assert words in found.hint
    assert "{provider}" not in found.hint


def test_rows_of_the_file_are_named() -> None:
    found = job_failure(
        {"code": "invalid_training_file", "message": "Line 12: bad role. See line 12 and row 40.",
         "param": "training_file"},
        provider="openai",
    )  # fmt: skip
    assert found is not None
    assert "See row 12, 40 of the file." in found.hint


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        ("Line(s) 1, 2, 3, 4, 5, ...: unexpected key 'answer'", (1, 2, 3, 4, 5)),
        ("lines 4, 7 and 9 are bad", (4, 7, 9)),
        ("Examples: [3, 5]", (3, 5)),
        ("Line 12, message 2 has no role", (12,)),
        ("rows #7", (7,)),
        ("training file has 7 example(s), but must have at least 10 examples", ()),
        ("deadline 5", ()),
    ],
)
def test_rows_are_read_in_the_forms_in_which_services_list_them(
    message: str, rows: tuple[int, ...]
) -> None:
    assert row_numbers(message) == rows
    assert refused(400, code="invalid_training_file").rows == ()
    found = job_failure({"code": "x", "message": message}, provider="openai")
    assert found is not None
    assert found.rows == rows


def test_an_unknown_code_keeps_the_service_s_own_words() -> None:
    found = job_failure({"code": "brand_new", "message": "So it is"}, provider="openai")
    assert found is not None
    assert (found.message, found.code, found.hint) == ("So it is", "brand_new", "")


def test_a_code_without_words_says_that() -> None:
    found = job_failure({"code": "exceeded_quota", "message": None}, provider="openai")
    assert found is not None
    assert "exceeded_quota" in found.message
