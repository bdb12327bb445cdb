"""Every exception of the package, in one tree.

Errors are for people: the message says what happened, to which job, file or line; ``hint`` says
what to do next. The original exception, where there is one, is always ``__cause__``. No message or
repr holds a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from ftproviders.schema.dataset import ValidationReport
    from ftproviders.schema.deployment import DeploymentRef, DeploymentSnapshot
    from ftproviders.schema.job import JobRef, JobSnapshot
    from ftproviders.schema.plan import CostEstimate

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "ConsentError",
    "CostLimitError",
    "DatasetError",
    "DeploymentError",
    "DeploymentFailedError",
    "DeploymentTimeoutError",
    "FineTuneError",
    "InvalidRequestError",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobPausedError",
    "JournalError",
    "MissingCredentialsError",
    "MissingDependencyError",
    "MissingSettingError",
    "ModelRetiredError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitError",
    "StalledError",
    "UnexpectedResponseError",
    "UnknownProviderError",
    "UnsupportedFeatureError",
    "WaitTimeoutError",
]


class FineTuneError(Exception):
    """The root of the tree.

    Args:
        message: What happened.
        provider: Name of the provider concerned.
        operation: What was being done, for instance ``create``.
        hint: What to do next.
        ref: The job or deployment concerned.
    """

    retryable: bool = False
    """True when the same call may succeed later, unchanged."""

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        operation: str | None = None,
        hint: str = "",
        ref: JobRef | DeploymentRef | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.operation = operation
        self.hint = hint
        self.ref = ref

    @override
    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, provider={self.provider!r})"


class ConfigurationError(FineTuneError):
    """Something on our side is not set up: a setting, a file, a flag, another account."""


class MissingDependencyError(ConfigurationError):
    """An extra is not installed; the hint is the install line."""


class MissingCredentialsError(ConfigurationError):
    """A key or token is not set."""


class MissingSettingError(ConfigurationError):
    """Something is not set that only some operations need, deploying for instance."""


class UnknownProviderError(ConfigurationError):
    """No provider has this name; the hint names the nearest."""


class ConsentError(ConfigurationError):
    """Something would cost money and nobody could be asked."""


class DatasetError(FineTuneError):
    """A data file is not fit for the provider.

    Attributes:
        report: What validation found; None when the file could not be read at all.
    """

    def __init__(
        self,
        message: str,
        *,
        report: ValidationReport | None = None,
        provider: str | None = None,
        operation: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, provider=provider, operation=operation, hint=hint)
        self.report = report


class UnsupportedFeatureError(FineTuneError):
    """The provider cannot do this at all.

    Attributes:
        feature: Name of the feature.
    """

    def __init__(
        self,
        message: str,
        *,
        feature: str,
        provider: str | None = None,
        operation: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, provider=provider, operation=operation, hint=hint)
        self.feature = feature


class CostLimitError(FineTuneError):
    """The plan costs more than the limit, or its cost is unknown.

    Attributes:
        estimate: The plan's estimate.
        limit_usd: The limit in US dollars.
    """

    def __init__(
        self,
        message: str,
        *,
        estimate: CostEstimate,
        limit_usd: float,
        provider: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, provider=provider, operation="submit", hint=hint)
        self.estimate = estimate
        self.limit_usd = limit_usd


class ProviderError(FineTuneError):
    """The provider refused, or could not be reached.

    Attributes:
        status_code: HTTP status, where there was one.
        code: The provider's own code, as data.
        request_id: The provider's id of the request, for its support.
        retry_after: Seconds to wait that the provider asked for.
        raw: The provider's payload.
        param: The field that the provider names, as data.
        rows: Lines of the data file that it names, from 1.
        maybe_executed: True when the request may have been carried out although no good answer
            came. Nothing that costs money is sent again after such an error.
        received: Text of an answer that had come before it broke off.
    """

    maybe_executed: bool = False
    param: str | None = None
    rows: tuple[int, ...] = ()
    received: str = ""

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        operation: str | None = None,
        hint: str = "",
        ref: JobRef | DeploymentRef | None = None,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        raw: object = None,
        maybe_executed: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation, hint=hint, ref=ref)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.raw = raw
        if maybe_executed is not None:
            self.maybe_executed = maybe_executed


class AuthenticationError(ProviderError):
    """The key or token is wrong or expired."""


class PermissionDeniedError(ProviderError):
    """The account may not do this."""


class NotFoundError(ProviderError):
    """The provider has no such thing."""


class ConflictError(ProviderError):
    """Something of that name is there already, and it is not ours."""


class InvalidRequestError(ProviderError):
    """The provider does not accept the request as it is."""


class QuotaExceededError(ProviderError):
    """A quota is used up; waiting alone does not help."""


class ModelRetiredError(ProviderError):
    """The model, or the provider, takes no new jobs any more."""


class RateLimitError(ProviderError):
    """Too many requests; nothing was carried out."""

    retryable = True


class ProviderUnavailableError(ProviderError):
    """The provider failed on its side (5xx)."""

    retryable = True
    maybe_executed = True


class ProviderConnectionError(ProviderError):
    """The connection could not be made, or broke."""

    retryable = True
    maybe_executed = True


class ProviderTimeoutError(ProviderError):
    """No answer came in time."""

    retryable = True
    maybe_executed = True


class OutcomeUnknownError(ProviderError):
    """A paid request was sent and its answer was lost.

    Attributes:
        submission_id: The submission concerned; of a deployment, its name.
        similar: Jobs that look like it but do not carry its marker.
    """

    maybe_executed = True

    def __init__(
        self,
        message: str,
        *,
        submission_id: str,
        similar: tuple[JobSnapshot, ...] = (),
        provider: str | None = None,
        operation: str = "create",
        hint: str = "",
        ref: JobRef | DeploymentRef | None = None,
    ) -> None:
        super().__init__(message, provider=provider, operation=operation, hint=hint, ref=ref)
        self.submission_id = submission_id
        self.similar = similar


class UnexpectedResponseError(ProviderError):
    """The provider answered with something that we cannot read."""

    maybe_executed = True


class JobError(FineTuneError):
    """Something about a job itself.

    Attributes:
        snapshot: The job as it was last seen.
    """

    def __init__(
        self,
        message: str,
        *,
        snapshot: JobSnapshot,
        operation: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(
            message,
            provider=snapshot.ref.provider,
            operation=operation,
            hint=hint,
            ref=snapshot.ref,
        )
        self.snapshot = snapshot


class JobFailedError(JobError):
    """The job failed."""


class JobCancelledError(JobError):
    """The job was cancelled."""


class JobPausedError(JobError):
    """The job is paused, or was interrupted."""


class WaitTimeoutError(JobError):
    """The job did not end in the time that the caller gave; it goes on."""


class StalledError(JobError):
    """The job has not changed for much longer than is usual for it."""


class DeploymentError(FineTuneError):
    """A deployment failed or is not what it should be."""


class _DeploymentEndError(DeploymentError):
    """Waiting for a deployment ended without it being ready.

    Attributes:
        snapshot: The deployment as it was last seen.
    """

    def __init__(
        self, message: str, *, snapshot: DeploymentSnapshot, operation: str, hint: str
    ) -> None:
        super().__init__(
            message,
            provider=snapshot.ref.provider,
            operation=operation,
            hint=hint,
            ref=snapshot.ref,
        )
        self.snapshot = snapshot


class DeploymentFailedError(_DeploymentEndError):
    """The deployment failed."""


class DeploymentTimeoutError(_DeploymentEndError):
    """The deployment was not ready in the time that the caller gave; it goes on."""


class JournalError(FineTuneError):
    """The journal cannot be read or written; nothing was sent."""
