"""One Python API for fine-tuning language models wherever they are tuned.

    import ftproviders as ft

    job = ft.submit(ft.JobSpec(provider="local", base_model="smollm2-135m",
                               training_file="train.jsonl"))
    job.wait()
    print(job.chat("My kettle leaks").text)

Names are loaded on first use: importing the package imports no SDK and no heavy library.
"""

from __future__ import annotations

import atexit
import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.client import Deployment, FineTuneClient, FineTuneJob
    from ftproviders.config import Config
    from ftproviders.data.conversion import RowMapping, convert
    from ftproviders.data.repair import repair
    from ftproviders.data.splitting import split
    from ftproviders.errors import (
        AuthenticationError,
        ConfigurationError,
        ConflictError,
        ConsentError,
        CostLimitError,
        DatasetError,
        DeploymentError,
        DeploymentFailedError,
        DeploymentTimeoutError,
        FineTuneError,
        InvalidRequestError,
        JobCancelledError,
        JobError,
        JobFailedError,
        JobPausedError,
        JournalError,
        MissingCredentialsError,
        MissingDependencyError,
        MissingSettingError,
        ModelRetiredError,
        NotFoundError,
        OutcomeUnknownError,
        PermissionDeniedError,
        ProviderConnectionError,
        ProviderError,
        ProviderTimeoutError,
        ProviderUnavailableError,
        QuotaExceededError,
        RateLimitError,
        StalledError,
        UnexpectedResponseError,
        UnknownProviderError,
        UnsupportedFeatureError,
        WaitTimeoutError,
    )
    from ftproviders.runtime.streaming import ChatStream
    from ftproviders.schema.chat import ChatExample, ChatMessage, PreferenceExample
    from ftproviders.schema.conversion import ConversionReport, RepairReport, SplitReport
    from ftproviders.schema.dataset import Dataset, Issue, ValidationReport
    from ftproviders.schema.deployment import (
        ChatReply,
        DeploymentCost,
        DeploymentRef,
        DeploymentSnapshot,
        DeploymentStatus,
        Endpoint,
        Lease,
        ReapReport,
    )
    from ftproviders.schema.file import DataFile, DeletedFiles, KeptFile
    from ftproviders.schema.hyperparameters import Hyperparameters, Method
    from ftproviders.schema.job import (
        Checkpoint,
        JobEvent,
        JobRef,
        JobSnapshot,
        JobSpec,
        JobStatus,
        TunedModel,
    )
    from ftproviders.schema.plan import CostEstimate, JobPlan
    from ftproviders.schema.submission import JobRecord, ReconcileReport

    _default = FineTuneClient()
    adopt = _default.adopt
    chat = _default.chat
    chat_stream = _default.chat_stream
    delete_unused_files = _default.delete_unused_files
    deploy = _default.deploy
    deployment = _default.deployment
    deployments = _default.deployments
    doctor = _default.doctor
    files = _default.files
    job = _default.job
    jobs = _default.jobs
    models = _default.models
    plan = _default.plan
    plan_from = _default.plan_from
    providers = _default.providers
    reap = _default.reap
    reconcile = _default.reconcile
    submit = _default.submit
    validate = _default.validate

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "client": ("Deployment", "FineTuneClient", "FineTuneJob"),
    "config": ("Config",),
    "data.conversion": ("RowMapping", "convert"),
    "data.repair": ("repair",),
    "data.splitting": ("split",),
    "errors": (
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
    ),
    "runtime.streaming": ("ChatStream",),
    "schema.chat": ("ChatExample", "ChatMessage", "PreferenceExample"),
    "schema.conversion": ("ConversionReport", "RepairReport", "SplitReport"),
    "schema.dataset": ("Dataset", "Issue", "ValidationReport"),
    "schema.deployment": (
        "ChatReply",
        "DeploymentCost",
        "DeploymentRef",
        "DeploymentSnapshot",
        "DeploymentStatus",
        "Endpoint",
        "Lease",
        "ReapReport",
    ),
    "schema.file": ("DataFile", "DeletedFiles", "KeptFile"),
    "schema.hyperparameters": ("Hyperparameters", "Method"),
    "schema.job": (
        "Checkpoint",
        "JobEvent",
        "JobRef",
        "JobSnapshot",
        "JobSpec",
        "JobStatus",
        "TunedModel",
    ),
    "schema.plan": ("CostEstimate", "JobPlan"),
    "schema.submission": ("JobRecord", "ReconcileReport"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_CLIENT_METHODS = (
    "adopt",
    "chat",
    "chat_stream",
    "delete_unused_files",
    "deploy",
    "deployment",
    "deployments",
    "doctor",
    "files",
    "job",
    "jobs",
    "models",
    "plan",
    "plan_from",
    "providers",
    "reap",
    "reconcile",
    "submit",
    "validate",
)

__all__ = [
    "AuthenticationError",
    "ChatExample",
    "ChatMessage",
    "ChatReply",
    "ChatStream",
    "Checkpoint",
    "Config",
    "ConfigurationError",
    "ConflictError",
    "ConsentError",
    "ConversionReport",
    "CostEstimate",
    "CostLimitError",
    "DataFile",
    "Dataset",
    "DatasetError",
    "DeletedFiles",
    "Deployment",
    "DeploymentError",
    "DeploymentFailedError",
    "DeploymentCost",
    "DeploymentRef",
    "DeploymentSnapshot",
    "DeploymentStatus",
    "DeploymentTimeoutError",
    "Endpoint",
    "FineTuneClient",
    "FineTuneError",
    "FineTuneJob",
    "Hyperparameters",
    "InvalidRequestError",
    "Issue",
    "JobCancelledError",
    "JobError",
    "JobEvent",
    "JobFailedError",
    "JobPausedError",
    "JobPlan",
    "JobRecord",
    "JobRef",
    "JobSnapshot",
    "JobSpec",
    "JobStatus",
    "JournalError",
    "KeptFile",
    "Lease",
    "Method",
    "MissingCredentialsError",
    "MissingDependencyError",
    "MissingSettingError",
    "ModelRetiredError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "PreferenceExample",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitError",
    "ReapReport",
    "ReconcileReport",
    "RepairReport",
    "RowMapping",
    "SplitReport",
    "StalledError",
    "TunedModel",
    "UnexpectedResponseError",
    "UnknownProviderError",
    "UnsupportedFeatureError",
    "ValidationReport",
    "WaitTimeoutError",
    "__version__",
    "adopt",
    "chat",
    "chat_stream",
    "convert",
    "delete_unused_files",
    "deploy",
    "deployment",
    "deployments",
    "doctor",
    "files",
    "job",
    "jobs",
    "models",
    "plan",
    "plan_from",
    "providers",
    "reap",
    "reconcile",
    "repair",
    "split",
    "submit",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _CLIENT_METHODS:
        return getattr(_default_client(), name)
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_CLIENT_METHODS})


@cache
def _default_client() -> Any:
    """Return the client behind the module's functions, made from the environment on first use."""
    client = importlib.import_module(f"{__name__}.client").FineTuneClient()
    # Nobody else can: without it, connections are still open when the interpreter ends.
    atexit.register(client.close)
    return client
