"""OpenAI through its own SDK: who is called, and with what."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ftproviders.adapters._openai_dialect.addresses import is_loopback
from ftproviders.adapters._openai_dialect.clients import client_arguments
from ftproviders.adapters._openai_dialect.connection import Connection
from ftproviders.adapters._openai_dialect.hosting import DialectHosting
from ftproviders.adapters._openai_dialect.reading import is_tuned
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.adapters._openai_dialect.training import DialectAdapter
from ftproviders.adapters._openai_dialect.uploading import SendingLimits
from ftproviders.adapters.openai import PROVIDER
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.adapters.openai.wire import (
    account_name,
    is_public,
    ref_account,
)
from ftproviders.errors import (
    ConfigurationError,
    DeploymentError,
    FineTuneError,
    MissingCredentialsError,
)
from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.deployment import DeploymentRef, Endpoint
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import AccountInfo, BaseModelInfo, JobSpec, TunedModel
from ftproviders.schema.plan import Assessment

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["OpenAIAdapter", "OpenAIHosting"]

_NO_KEY = "no-key"
"""Sent where a server of one's own wants none: the SDK insists on something."""
_LOOK_SECONDS = 10.0
"""How long the plan waits for what is not needed for it."""


def _connection(settings: OpenAISettings, client: OpenAI | None) -> Connection:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Connection(
        provider=PROVIDER.name,
        make_client=lambda: client or _client(settings, key or _NO_KEY),
        scrubber=Scrubber(key),
        address=settings.base_url,
        key_hint="It is that of OPENAI_API_KEY, or of the profile."
        if key
        else "None is set: OPENAI_API_KEY is where it is looked for.",
    )


def _client(settings: OpenAISettings, key: str) -> OpenAI:
    import openai

    url = settings.base_url
    arguments = client_arguments(
        openai,
        url,
        timeout_seconds=settings.timeout_seconds,
        headers={
            "authorization": f"Bearer {key}",
            "openai-organization": settings.organization,
            "openai-project": settings.project,
        },
    )
    client = openai.OpenAI(api_key=key, base_url=url, **arguments)
    # Only our settings count: the SDK would fill these from the environment by itself.
    client.organization = settings.organization
    client.project = settings.project
    return client


def _without_key(settings: OpenAISettings) -> ConfigurationError | None:
    if settings.api_key is not None or not is_public(settings.base_url):
        return None
    return MissingCredentialsError(
        "Provider openai has no key.",
        provider=PROVIDER.name,
        hint="Set OPENAI_API_KEY, or api_key_command in a profile; for a server of your own that "
        "wants none, set OPENAI_BASE_URL.",
    )


def _account(settings: OpenAISettings) -> str:
    return account_name(
        settings.base_url,
        organization=settings.organization,
        project=settings.project,
        profile=settings.profile,
    )


class OpenAIAdapter(DialectAdapter):
    """Trains at OpenAI, or at any server with its fine-tuning API.

    Args:
        settings: Connection settings.
        client: A ready client instead of one made from the settings; its retries must be off.
    """

    info = PROVIDER

    def __init__(self, settings: OpenAISettings, *, client: OpenAI | None = None) -> None:
        super().__init__(
            settings,
            connection=_connection(settings, client),
            limits=SendingLimits(
                plain_bytes=settings.plain_upload_bytes,
                part_bytes=settings.part_bytes,
                expires_after_seconds=settings.file_expires_after_seconds,
            ),
        )
        self._settings = settings

    @override
    def account(self) -> str:
        return _account(self._settings)

    @override
    def public_account(self) -> str | None:
        own = self._settings
        return ref_account(own.base_url, organization=own.organization, project=own.project)

    @override
    def free(self) -> bool:
        return is_loopback(self._settings.base_url)

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or _without_key(self._settings)

    @override
    def check(self) -> AccountInfo:
        problem = self.preflight()
        if problem is not None:
            raise problem
        names = [str(entry["id"]) for entry in self._listed_models()]
        tuned = sum(map(is_tuned, names))
        return AccountInfo(
            account=self.account(), detail=f"{len(names)} models, {tuned} of them tuned"
        )

    @override
    def job_body(self, body: dict[str, Any], *, options: ProviderOptions) -> dict[str, Any]:
        del options
        return body

    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        assessment = super().assess(spec, options=options, statistics=statistics)
        ends = self._shutdown_date(str(spec.base_model))
        own = is_public(self._settings.base_url)
        return assessment.model_copy(update={"model_ends_on": ends, "dated_tables": own})

    def _shutdown_date(self, model: str) -> date | None:
        """Ask the service until when the model is there; None when it cannot or does not say."""
        if self.preflight() is not None:
            return None
        client = self._connection.client
        # A plan can be made without it: the dated table knows most of it.
        with contextlib.suppress(FineTuneError):
            try:
                entry = self._connection.ask(
                    client.models.with_raw_response.retrieve, model, timeout=_LOOK_SECONDS
                )
            # Whatever the SDK raises: ours are left out above, others go on.
            except Exception as error:
                raise self.translate(error, operation="plan") from error
            return _date(entry.get("shutdown_date"))
        return None

    @override
    def models(self) -> Sequence[BaseModelInfo]:
        entries = {str(entry["id"]): entry for entry in self._listed_models()}
        everything = not is_public(self._settings.base_url)
        return [
            _model(name, entry)
            for name, entry in entries.items()
            if everything or is_tuned(name) or _methods(name)
        ]

    def _listed_models(self) -> list[dict[str, Any]]:
        return list(self._connection.pages(self._connection.client.models.with_raw_response.list))

    @override
    def delete_model(self, model: str) -> None:
        self._connection.ask(self._connection.client.models.with_raw_response.delete, model)


def _methods(name: str) -> tuple[Method, ...]:
    """Return the methods that a model can be tuned with, as far as the table of models knows."""
    base = name.removeprefix("ft:").partition(":")[0]
    known = next((m for m in PROVIDER.data.models if fnmatchcase(base, m.pattern)), None)
    return tuple(sorted(known.methods)) if known and known.methods else ()


def _model(name: str, entry: Mapping[str, Any]) -> BaseModelInfo:
    ends = _date(entry.get("shutdown_date"))
    owner = entry.get("owned_by")
    return BaseModelInfo(
        name=name,
        provider=PROVIDER.name,
        description=f"ends on {ends.isoformat()}" if ends else "",
        methods=_methods(name),
        tuned=is_tuned(name),
        details={
            **({"owned_by": owner} if isinstance(owner, str) else {}),
            **({"shutdown_date": ends.isoformat()} if ends else {}),
        },
    )


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


class OpenAIHosting(DialectHosting):
    """A tuned model, a checkpoint or a base model of OpenAI's answers by its name.

    Args:
        settings: Connection settings.
        client: A ready client instead of one made from the settings.
    """

    info = PROVIDER

    def __init__(self, settings: OpenAISettings, *, client: OpenAI | None = None) -> None:
        super().__init__(settings, connection=_connection(settings, client))
        self._settings = settings

    @override
    def account(self) -> str:
        return _account(self._settings)

    @override
    def free(self) -> bool:
        return is_loopback(self._settings.base_url)

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or _without_key(self._settings)

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        if isinstance(target, DeploymentRef):
            raise DeploymentError(
                f"OpenAI has no deployments, so there is none called {target.id}.",
                provider=self.info.name,
                operation="endpoint",
                hint="Chat with the job or with the model's name.",
            )
        return Endpoint(
            provider=self.info.name,
            url=self._settings.base_url,
            model=target.name,
            auth="none" if self._settings.api_key is None else "bearer",
        )

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        own = self._settings
        headers = {"OpenAI-Organization": own.organization, "OpenAI-Project": own.project}
        if own.api_key is not None:
            headers["Authorization"] = f"Bearer {own.api_key.get_secret_value()}"
        return {name: value for name, value in headers.items() if value}
