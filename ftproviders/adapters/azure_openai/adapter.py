"""Azure OpenAI through OpenAI's SDK: who is called, by which route, and with what."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ftproviders.adapters._openai_dialect.addresses import is_loopback
from ftproviders.adapters._openai_dialect.clients import client_arguments
from ftproviders.adapters._openai_dialect.connection import Connection
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.adapters._openai_dialect.training import DialectAdapter
from ftproviders.adapters._openai_dialect.uploading import SendingLimits
from ftproviders.adapters.azure_openai import PROVIDER, assessing
from ftproviders.adapters.azure_openai.catalogue import base_models, tuned_model
from ftproviders.adapters.azure_openai.explaining import LIMITS, decoder, with_safety
from ftproviders.adapters.azure_openai.files import prepared_with_mark, refuse_parts
from ftproviders.adapters.azure_openai.options import AzureOpenAIOptions, AzureOpenAISettings
from ftproviders.adapters.azure_openai.reading import plain_job, with_facts
from ftproviders.adapters.azure_openai.safety import billed, safety_passed
from ftproviders.adapters.azure_openai.tokens import Tokens, credential_error
from ftproviders.adapters.azure_openai.wire import (
    V1,
    account_name,
    is_public,
    project_name,
    sent_model,
    training_type,
    v1_url,
)
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    MissingCredentialsError,
    MissingDependencyError,
)
from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import Dataset, DatasetStatistics, PreparedFile
from ftproviders.schema.job import (
    AccountInfo,
    BaseModelInfo,
    FileRef,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
)
from ftproviders.schema.plan import Assessment

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from openai import OpenAI

__all__ = [
    "AzureOpenAIAdapter",
    "data_token",
    "default_credential",
    "make_connection",
    "unusable",
]

# Where a program sets up no logging, Python writes warnings to stderr: a page of all the ways to
# sign in that azure-identity tried, beside the error that says so. Who listens still hears it.
logging.getLogger("azure").addHandler(logging.NullHandler())

_THIRTY_DAYS_SECONDS = 2_592_000
_LAST_EVENTS = 100
"""Read of a job that has succeeded, for what it was billed: the newest come first."""


def default_credential() -> TokenCredential:
    """Return what signs in by environment, managed identity, Azure CLI and so on."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def make_connection(settings: AzureOpenAISettings, client: OpenAI | None = None) -> Connection:
    """Return the connection to the data plane of a resource; no network.

    Args:
        settings: Connection settings.
        client: A ready client instead of one made from the settings.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else None
    own = Scrubber(key)
    tokens = None if key else Tokens(default_credential, scope=settings.token_scope, hide=own.hide)
    return Connection(
        provider=PROVIDER.name,
        make_client=lambda: client or _client(settings, key, tokens),
        scrubber=own,
        decode=decoder(tokens),
        address=settings.endpoint or "",
        also_close=tokens.close if tokens else None,
    )


def data_token(settings: AzureOpenAISettings) -> str:
    """Return a token of the data plane for somebody else's client; asks Entra ID."""
    tokens = Tokens(default_credential, scope=settings.token_scope)
    try:
        return tokens()
    finally:
        tokens.close()


def _client(settings: AzureOpenAISettings, key: str | None, tokens: Tokens | None) -> OpenAI:
    import openai

    endpoint = settings.endpoint or ""
    arguments = client_arguments(
        openai,
        endpoint,
        timeout_seconds=settings.timeout_seconds,
        headers={"api-key": key if settings.dated else None},
    )

    class Undated(openai.OpenAI):
        @property
        @override
        def default_headers(self) -> dict[str, str | openai.Omit]:
            # Key or token alone: the SDK would let OPENAI_CUSTOM_HEADERS replace it.
            found = super().default_headers
            return {name: found[name] for name in found if name.lower() != "authorization"}

    client: openai.OpenAI
    if settings.dated:
        client = openai.AzureOpenAI(
            azure_endpoint=endpoint,
            api_version=settings.api_version,
            api_key=key,
            azure_ad_token_provider=tokens,
            **arguments,
        )
    else:
        query = {"api-version": "preview"} if settings.api_version == "preview" else None
        client = Undated(
            base_url=v1_url(endpoint), api_key=key or tokens, default_query=query, **arguments
        )
    # These are OpenAI's; the SDK would fill them from the environment by itself.
    client.organization = client.project = None
    return client


def unusable(settings: AzureOpenAISettings) -> ConfigurationError | None:
    """Say why nothing can be reached with these settings, or None. No network."""
    if settings.endpoint is None:
        return MissingCredentialsError(
            "Provider azure-openai does not know which resource to call.",
            provider=PROVIDER.name,
            hint="Set AZURE_OPENAI_ENDPOINT, for instance https://my-resource.openai.azure.com.",
        )
    if settings.dated and project_name(settings.endpoint) is not None:
        return ConfigurationError(
            "A project's address has no dated routes.",
            provider=PROVIDER.name,
            hint="Set api_version (OPENAI_API_VERSION) to v1, or the endpoint to the resource.",
        )
    if settings.api_key is None and not _has_identity():
        return MissingDependencyError(
            "Provider azure-openai has no key, and azure-identity, which signs in without one, is "
            "not installed.",
            provider=PROVIDER.name,
            hint=f"Set AZURE_OPENAI_API_KEY, or run: {PROVIDER.install_line}",
        )
    return None


def _has_identity() -> bool:
    try:
        return importlib.util.find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


class AzureOpenAIAdapter(DialectAdapter):
    """Trains at one resource of Azure OpenAI, or at one project of Foundry.

    Args:
        settings: Connection settings.
        client: A ready client instead of one made from the settings; its retries must be off.
    """

    info = PROVIDER
    dialect_limits = LIMITS

    def __init__(self, settings: AzureOpenAISettings, *, client: OpenAI | None = None) -> None:
        expiry = settings.file_expires_after_seconds
        if expiry is None and not settings.dated:
            # The routes without a date take no file without it.
            expiry = _THIRTY_DAYS_SECONDS
        super().__init__(
            settings,
            connection=make_connection(settings, client),
            limits=SendingLimits(
                plain_bytes=settings.plain_upload_bytes,
                part_bytes=settings.part_bytes,
                expires_after_seconds=expiry,
            ),
        )
        self._settings = settings

    @override
    def account(self) -> str:
        return account_name(self._settings.endpoint or "")

    @override
    def public_account(self) -> str | None:
        return self.account() or None

    @override
    def free(self) -> bool:
        return is_loopback(self._settings.endpoint or "")

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or unusable(self._settings)

    @override
    def check(self) -> AccountInfo:
        problem = self.preflight()
        if problem is not None:
            raise problem
        jobs = len(self._listed_jobs())
        files = sum(1 for _ in self._connection.pages(self._files.list))
        detail = (
            f"{jobs} of {assessing.JOBS_LIMIT} jobs, {files} of {assessing.FILES_LIMIT} files, "
            f"api-version {self._settings.api_version}"
        )
        return AccountInfo(account=self.account(), detail=detail)

    # --- plan --------------------------------------------------------------------------------

    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        own = _own(options)
        dashed = spec.model_copy(update={"suffix": _dashed(spec.suffix)})
        found = super().assess(dashed, options=options, statistics=statistics)
        assessing.refuse(spec)
        public = is_public(self._settings.endpoint or "")
        kind = training_type(own.training_type, str(spec.base_model))
        defaults = () if own.training_type else ("training_type",)
        return found.model_copy(
            update={
                "resolved": {**found.resolved, "training_type": kind},
                "defaults": (*found.defaults, *defaults),
                "mapped": (*found.mapped, *assessing.mapped(spec)),
                "warnings": (
                    *found.warnings,
                    *assessing.warnings(spec, own, api_version=self._settings.api_version),
                    *self._full(),
                ),
                "notes": (*found.notes, *assessing.notes(spec, own, account=self.account())),
                "dated_tables": public,
            }
        )

    def _full(self) -> Sequence[str]:
        """Warn that the resource is nearly full; nothing when it cannot be asked."""
        if self.preflight() is not None:
            return ()
        with contextlib.suppress(FineTuneError):
            try:
                # One page of each tells: it holds as many as the resource may have.
                jobs, _ = self._connection.page(self._jobs.list, limit=assessing.JOBS_LIMIT)
                files, _ = self._connection.page(self._files.list, limit=assessing.FILES_LIMIT)
            # Whatever the SDK raises: ours are left out above, others go on.
            except Exception as error:
                raise self.translate(error, operation="plan") from error
            return tuple(assessing.limit_warnings(jobs=len(jobs), files=files))
        return ()

    # --- ours -> theirs ----------------------------------------------------------------------

    @override
    def sent_model(self, name: str) -> str:
        return sent_model(name)

    @override
    def job_body(self, body: dict[str, Any], *, options: ProviderOptions) -> dict[str, Any]:
        own = _own(options)
        model = str(body["model"])
        made = {**body, "model": sent_model(model)}
        if "suffix" in body:
            made["suffix"] = _dashed(body["suffix"])
        method = dict(made["method"])
        inner = {**(method.get(method["type"]) or {}), **(own.extra_method_fields or {})}
        if own.extra_hyperparameters:
            known = inner.get("hyperparameters") or {}
            inner["hyperparameters"] = {**known, **own.extra_hyperparameters}
        if inner:
            method[method["type"]] = inner
        made["method"] = method
        # The SDK's signature does not have it; everything needs it.
        return made | {"extra_body": {"trainingType": training_type(own.training_type, model)}}

    @override
    def prepare(self, dataset: Dataset, *, purpose: str, folder: Path) -> PreparedFile:
        prepared = super().prepare(dataset, purpose=purpose, folder=folder)
        if self._settings.byte_order_mark:
            return prepared_with_mark(prepared, folder=folder)
        return prepared

    @override
    def upload_steps(
        self, file: PreparedFile, *, purpose: str, submission_id: str
    ) -> Generator[Callable[[], FileRef | None]]:
        refuse_parts(
            file,
            endpoint=self._settings.endpoint or "",
            plain_bytes=self._settings.plain_upload_bytes,
        )
        return super().upload_steps(file, purpose=purpose, submission_id=submission_id)

    # --- theirs -> ours ----------------------------------------------------------------------

    @override
    def read(self, job: Mapping[str, Any]) -> JobSnapshot:
        return with_safety(with_facts(super().read(plain_job(job)), job))

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        seen = super().retrieve(ref)
        if seen.status is not JobStatus.SUCCEEDED:
            return seen
        # What was billed, and that the model has passed its check, stand in late events only.
        with contextlib.suppress(FineTuneError):
            told = self._last_events(ref)
            paid = billed(told)
            facts = {**seen.facts, **paid}
            if safety_passed(told):
                facts["safety"] = "passed"
            tokens = paid.get("billed_tokens") if seen.trained_tokens is None else None
            more = {"trained_tokens": tokens} if tokens is not None else {}
            return seen.model_copy(update={"facts": facts, **more})
        return seen

    def _last_events(self, ref: JobRef) -> Sequence[Any]:
        from ftproviders.adapters._openai_dialect.events import ordered

        try:
            items, _ = self._connection.page(self._jobs.list_events, ref.id, limit=_LAST_EVENTS)
        # Whatever the SDK raises is translated.
        except Exception as error:
            raise self.translate(error, operation="events") from error
        return ordered(items)

    @override
    def models(self) -> Sequence[BaseModelInfo]:
        # The service's list of models is not part of its described API; jobs name what they made.
        names = (job.get("fine_tuned_model") for job in self._listed_jobs())
        tuned = dict.fromkeys(str(name) for name in names if name)
        return [*base_models(), *map(tuned_model, tuned)]

    def _listed_jobs(self) -> list[dict[str, Any]]:
        return list(self._connection.pages(self._jobs.list, limit=100))

    @override
    def delete_model(self, model: str) -> None:
        # Documented for the routes without a date only; they have the same models.
        undated = self._settings.model_copy(update={"api_version": V1})
        connection = self._connection if not self._settings.dated else make_connection(undated)
        try:
            connection.ask(connection.client.models.with_raw_response.delete, model)
        finally:
            if connection is not self._connection:
                connection.close()

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        ours = credential_error(error, provider=self.info.name, operation=operation)
        return ours or super().translate(error, operation=operation)


def _own(options: ProviderOptions) -> AzureOpenAIOptions:
    if isinstance(options, AzureOpenAIOptions):
        return options
    return AzureOpenAIOptions.model_validate(options.model_dump(exclude_unset=True))


def _dashed(suffix: str | None) -> str | None:
    """Return a suffix without dots, which the service does not take."""
    return None if suffix is None else suffix.replace(".", "-")
