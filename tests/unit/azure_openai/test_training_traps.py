"""Raw error -> cause -> fix: every row of the table, and that texts decide nothing but words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from ftproviders import errors
from ftproviders.adapters._openai_dialect.refusals import Refusal, explained
from ftproviders.adapters.azure_openai.explaining import decoder
from ftproviders.adapters.azure_openai.tokens import Tokens
from ftproviders.adapters.azure_openai.traps import TRAPS, Plane, Trap, decode, kind_of_status, trap

GONE = (
    "The API deployment for this resource does not exist. If you created the deployment within the "
    "last 5 minutes, please wait a moment and try again."
)
# plane, operation, status, code, message -> row, sort of error, a piece of what to do
ROWS: list[tuple[Plane, str, int | None, str | None, str, str, type[Exception], str]] = [
    ("data", "create", 400, "InvalidRequest",
     "The specified base model does not support fine-tuning with Standard TrainingType.",
     "open_weights_standard", errors.InvalidRequestError, "training_type=globalStandard"),
    ("data", "create", 400, "InvalidRequest",
     "The specified base model does not support fine-tuning.",
     "base_not_tunable", errors.InvalidRequestError, "id with its date"),
    ("data", "retrieve", 400, None, "API version not supported",
     "version_on_v1", errors.InvalidRequestError, "OPENAI_API_VERSION"),
    ("data", "find", 400, "BadRequest", "api-version not allowed",
     "version_on_v1", errors.InvalidRequestError, "v1"),
    ("data", "upload", 404, "404", "Resource not found",
     "uploads_on_project", errors.NotFoundError, "openai.azure.com"),
    ("data", "retrieve", 404, "fine_tune_not_found", "Could not find fine tune: ftjob-1.",
     "no_such_job", errors.NotFoundError, "AZURE_OPENAI_ENDPOINT"),
    ("data", "create", 400, "InvalidRequest", "File file-1 is pending.",
     "file_pending", errors.InvalidRequestError, "some minutes"),
    ("data", "create", 400, "InvalidRequest", "The suffix may hold no dots.",
     "suffix", errors.InvalidRequestError, "no dots"),
    ("data", "create", 429, "429", "The resource has reached its limit of 100 jobs.",
     "job_limits", errors.RateLimitError, "cancel a job"),
    ("data", "upload", 429, None, "", "job_limits", errors.RateLimitError, "delete old"),
    ("data", "delete_model", 409, "Conflict", "It is deployed.", "model_in_use",
     errors.ConflictError, "deployments first"),
    ("job", "", None, "InvalidPayload",
     "The provided training data failed RAI checks for harm types: [violence]. Please fix",
     "data_safety", errors.InvalidRequestError, "Take the rows"),
    ("job", "", None, None,
     ("This model is unable to be deployed. Model evaluation identified that this fine tuned model "
     "scores above acceptable thresholds for [Violence, Self Harm]."),
     "model_safety", errors.InvalidRequestError, "train again"),
    ("job", "", None, "500", "Internal error", "plain_upload_500",
     errors.ProviderUnavailableError, "plain_upload_bytes"),
    ("job", "", None, "stalled", "", "evaluation_hangs",
     errors.ProviderUnavailableError, "always on"),
    ("job", "", None, "not_in_portal", "", "not_in_portal", errors.NotFoundError, "endpoint"),
    ("arm", "deploy", 500, None, "", "wrong_format", errors.ProviderUnavailableError, "format"),
    ("arm", "deploy", 500, "InternalServerError", "", "wrong_format",
     errors.ProviderUnavailableError, "family"),
    ("arm", "deploy", 500, "InternalServerError", "It failed.", "open_tune_internal",
     errors.ProviderUnavailableError, "capacity 100"),
    ("data", "chat", 500, "InternalServerError", "It failed.", "open_tune_chat",
     errors.ProviderUnavailableError, "capacity 100"),
    ("arm", "deploy", 400, "DeploymentModelNotSupported",
     ("The model 'Publisher: , Format: OpenAI, Name: x, Version: 1, Source: , SourceAccount: ' of "
     "account deployment is not supported."),
     "model_not_supported", errors.InvalidRequestError, "version"),
    ("arm", "deploy", 400, "InvalidResourceProperties",
     "The specified SKU 'Standard' of account deployment is not supported by the model x.",
     "sku_not_supported", errors.InvalidRequestError, "GlobalStandard"),
    ("arm", "deploy", 400, "InsufficientQuota",
     ("This operation require 100 new capacity in quota Tokens Per Minute (thousands) - x, which "
     "is bigger than the current available capacity 50."),
     "quota", errors.QuotaExceededError, "lower capacity"),
    ("arm", "deploy", 400, "SpecialFeatureOrQuotaIdRequired", "", "subscription_not_eligible",
     errors.PermissionDeniedError, "another subscription"),
    ("arm", "deploy", 429, "QuotaExceeded", "Quota exceeded.", "quota_released_late",
     errors.RateLimitError, "20 seconds"),
    ("arm", "extend", 409, "RequestConflict", "The state is not terminal.", "busy",
     errors.ConflictError, "in a minute"),
    ("arm", "deploy", 409, "Conflict", "It exists.", "name_taken", errors.ConflictError, "name"),
    ("arm", "deploy", 403, "AuthorizationFailed", "x", "may_not_deploy",
     errors.PermissionDeniedError, "az login"),
    ("arm", "undeploy", 401, "AuthorizationFailed", "x", "may_not_deploy",
     errors.PermissionDeniedError, "az login"),
    ("arm", "deploy", 403, "Forbidden", "x", "arm_forbidden",
     errors.PermissionDeniedError, "role"),
    ("arm", "deploy", 401, "ExpiredAuthenticationToken", "x", "arm_token",
     errors.AuthenticationError, "az login"),
    ("arm", "deployment", None, "Failed", "", "not_available_in_region",
     errors.InvalidRequestError, "another region"),
    ("data", "retrieve", 401, "401", "Access denied", "key_or_scope",
     errors.AuthenticationError, "token_scope"),
    ("data", "create", 403, "Forbidden",
     "Your resource has been temporarily blocked because we detected behavior that may violate.",
     "blocked", errors.PermissionDeniedError, "support request"),
    ("data", "create", 403, "AccessDenied",
     "Access denied due to Virtual Network/Firewall rules.",
     "network", errors.PermissionDeniedError, "network settings"),
    ("data", "create", 403, "Forbidden", "No.", "no_role", errors.PermissionDeniedError, "role"),
    ("data", "chat", 503, "DeploymentNotReady", "", "deployment_not_ready",
     errors.ProviderUnavailableError, "deploy again"),
    ("data", "chat", 404, "DeploymentNotFound", GONE, "deployment_not_found",
     errors.NotFoundError, "ftproviders deployments"),
    ("data", "chat", 500, "x", "Failed to load LoRA adapter", "lora",
     errors.ProviderUnavailableError, "capacity 100"),
    ("data", "chat", 429, "429", "Requests exceeded", "tokens_a_minute",
     errors.RateLimitError, "more capacity"),
    ("data", "chat", 400, "content_filter", "filtered", "content_filter",
     errors.InvalidRequestError, "filters"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plane", "operation", "status", "code", "message", "name", "kind", "todo"),
    ROWS,
    ids=[f"{row[5]}-{row[1]}-{row[3]}" for row in ROWS],
)
def test_raw_error_has_cause_and_fix(
    plane: Plane,
    operation: str,
    status: int | None,
    code: str | None,
    message: str,
    name: str,
    kind: type[Exception],
    todo: str,
) -> None:
    row = decode(plane, operation=operation, status=status, code=code, message=message)
    assert row is not None
    assert (row.name, row.kind) == (name, kind)
    assert todo in row.fix
    assert row.cause


def test_every_row_is_tried() -> None:
    assert {row[5] for row in ROWS} == {row.name for row in TRAPS}
    assert len({row.name for row in TRAPS}) == len(TRAPS)


@pytest.mark.parametrize("known", TRAPS, ids=lambda row: row.name)
def test_a_text_alone_never_decides_what_sort_of_error_it_is(known: Trap) -> None:
    if known.texts and not known.codes and known.plane != "job":
        assert known.kind is None
        assert not known.passing
    else:
        assert known.kind is not None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_another_text_leaves_the_sort(status: int) -> None:
    for operation in ("create", "upload", "chat", "retrieve"):
        kinds = {
            found.kind if (found := decode("data", operation=operation, status=status,
                                           message=text)) else kind_of_status(status)
            for text in ("", "does not support fine-tuning", "failed to load lora", "firewall")
        }  # fmt: skip
        assert len(kinds) == 1, (status, operation, kinds)


def test_unknown_errors_are_left_to_the_api_itself() -> None:
    assert decode("data", operation="find", status=400, message="something new") is None
    with pytest.raises(KeyError):
        trap("no such row")


class _Credential:
    def __init__(self) -> None:
        self.scopes: list[str] = []
        self.closed = False

    def get_token(self, scope: str) -> object:
        self.scopes.append(scope)
        return type("Token", (), {"token": f"token for {scope}"})()

    def close(self) -> None:
        self.closed = True


def refused(tokens: Tokens | None, status: int = 401, **more: Any) -> errors.ProviderError:
    refusal = Refusal(kind="status", status=status, **more)
    return explained(refusal, provider="azure-openai", operation="create", decode=decoder(tokens))


def test_after_a_401_the_other_scope_is_tried_once() -> None:
    credential = _Credential()
    tokens = Tokens(lambda: credential, scope=None)
    assert tokens() == "token for https://ai.azure.com/.default"
    assert refused(tokens).retryable
    assert tokens() == "token for https://cognitiveservices.azure.com/.default"
    assert not refused(tokens).retryable
    # It was not the scope, then: the next request does not begin with the one that may be wrong.
    assert tokens() == "token for https://ai.azure.com/.default"
    assert refused(tokens).retryable
    tokens.close()
    assert credential.closed


def test_many_requests_that_are_refused_at_once_all_go_on_to_the_other_scope() -> None:
    tokens = Tokens(_Credential, scope=None)
    under_way = Barrier(4)

    def ask(_number: int) -> tuple[bool, str]:
        tokens()
        under_way.wait(timeout=30)  # each has its token before any is refused
        again = refused(tokens).retryable
        return again, tokens()

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(ask, range(4)))
    assert asked == [(True, "token for https://cognitiveservices.azure.com/.default")] * 4


def test_a_stated_scope_is_the_only_one() -> None:
    tokens = Tokens(_Credential, scope="https://example.org/.default")
    assert not refused(tokens).retryable
    assert tokens() == "token for https://example.org/.default"


def test_a_wrong_key_is_not_tried_again() -> None:
    error = refused(None)
    assert isinstance(error, errors.AuthenticationError)
    assert not error.retryable


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_create_is_not_taken_for_a_service_that_ends(status: int) -> None:
    assert not isinstance(refused(None, status, message="No."), errors.ModelRetiredError)


def test_the_codes_of_the_api_still_count() -> None:
    error = refused(None, 400, code="model_not_found", message="No such model.")
    assert isinstance(error, errors.ModelRetiredError)
    pending = refused(None, 400, code="file_not_ready")
    assert pending.retryable
