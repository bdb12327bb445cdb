"""Where models tuned at Azure OpenAI answer: deployments, made through Resource Manager.

Two planes: the management plane makes and shows deployments (`plane`), the data plane, whose
connection training uses too, answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ftproviders.adapters._openai_dialect.addresses import is_loopback
from ftproviders.adapters._openai_dialect.hosting import DialectHosting
from ftproviders.adapters.azure_openai import PROVIDER, arm, deploying, requirements
from ftproviders.adapters.azure_openai.adapter import (
    default_credential,
    make_connection,
    unusable,
)
from ftproviders.adapters.azure_openai.operations import OperationNotes
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.adapters.azure_openai.plane import Plane
from ftproviders.adapters.azure_openai.tokens import Tokens, credential_error
from ftproviders.adapters.azure_openai.traps import decode
from ftproviders.adapters.azure_openai.wire import account_name, v1_url
from ftproviders.errors import (
    ConfigurationError,
    ConflictError,
    DeploymentError,
    FineTuneError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    RateLimitError,
    UnexpectedResponseError,
)
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.deployment import (
    DeploymentPage,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentTerms,
    Endpoint,
    Lease,
    Requirement,
)
from ftproviders.schema.job import JobFailure, TunedModel

if TYPE_CHECKING:
    from ftproviders.adapters._openai_dialect.connection import Connection
    from ftproviders.adapters.azure_openai.management import Management

__all__ = ["AzureOpenAIHosting"]

_PROBE = (ChatMessage(role=Role.USER, content="ping"),)


class AzureOpenAIHosting(DialectHosting):
    """Deploys tuned models of one Azure OpenAI resource, and asks them.

    Chats go by the name of the deployment, with the key or with Entra ID; deploying always needs
    Entra ID, and the role for it.

    Args:
        settings: Connection settings.
        management: The management plane; None = as the settings say, made on first use.
        connection: The data plane; likewise.
    """

    info = PROVIDER
    settings: AzureOpenAISettings

    def __init__(
        self,
        settings: AzureOpenAISettings,
        *,
        management: Management | None = None,
        connection: Connection | None = None,
    ) -> None:
        super().__init__(settings, connection=connection or make_connection(settings))
        self._plane = Plane(settings, management)
        self._tokens = Tokens(
            default_credential, scope=settings.token_scope, hide=self._connection.scrubber.hide
        )
        self._notes = OperationNotes(settings.home / "azure-openai" / "operations")
        self._models: dict[str, str] = {}
        """Deployment -> what it serves, as far as seen."""

    # --- who and where -----------------------------------------------------------------------

    @override
    def account(self) -> str:
        return requirements.value_of(self.settings, "resource") or account_name(self._address)

    @property
    def _address(self) -> str:
        """Address of the resource, without the project that jobs may be in."""
        return (self.settings.endpoint or "").partition("/api/projects/")[0]

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or unusable(self.settings)

    @override
    def free(self) -> bool:
        return is_loopback(self.settings.arm_endpoint)

    @override
    def requirements(self, *, ask: bool) -> Sequence[Requirement]:
        known = requirements.from_settings(self.settings)
        if not ask or any(one.met is False for one in known):
            return known
        return [*(one for one in known if one.met), *requirements.asked(self._plane)]

    @override
    def now(self) -> datetime | None:
        return self._plane.resource()[1]

    @override
    def reads_own_writes(self, error: ProviderError | None) -> bool:
        # An answer means that the service is done with the request; without one it may go on.
        return error is not None and error.status_code is not None

    @override
    def sure_at_last(self) -> bool:
        return True

    # --- asking ------------------------------------------------------------------------------

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        name = self._own(target).id if isinstance(target, DeploymentRef) else self._serving(target)
        return Endpoint(
            provider=self.info.name,
            url=v1_url(self._address).rstrip("/"),
            model=name,
            auth="api-key" if self.settings.api_key is not None else "bearer",
        )

    def _serving(self, model: TunedModel) -> str:
        """Return the name of a deployment that serves a model."""
        cursor: str | None = None
        while True:
            page = self.deployments(cursor=cursor)
            for seen in page.deployments:
                if seen.model.name == model.name and seen.status is DeploymentStatus.READY:
                    return seen.ref.id
            cursor = page.cursor
            if cursor is None:
                raise DeploymentError(
                    f"No deployment of {self.account()} serves {model.name}, and without one it "
                    "does not answer.",
                    provider=self.info.name,
                    operation="endpoint",
                    hint="Deploy the job: ftproviders deploy REF --ttl 2h --wait",
                )

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        key = self.settings.api_key
        if key is not None:
            return {"api-key": key.get_secret_value()}
        return {"Authorization": f"Bearer {self._tokens()}"}

    @override
    def family(self, endpoint: Endpoint) -> str | None:
        # The name of a deployment tells nothing; who may only chat is not stopped by that.
        if endpoint.model not in self._models and not requirements.lacking(self.settings):
            try:
                self.deployment(self._ref(endpoint.model))
            except FineTuneError:
                return None
        return self._models.get(endpoint.model)

    @override
    def silence(self, ref: DeploymentRef) -> str | None:
        try:
            self.chat(self.endpoint(ref), _PROBE, max_tokens=1)
        # Whatever the SDK raises tells whether somebody is there.
        except Exception as error:
            ours = self.translate(error, operation="chat")
            # It has read the question, or counts requests: it is there.
            if isinstance(ours, InvalidRequestError | RateLimitError):
                return None
            if not (isinstance(ours, NotFoundError) or ours.retryable):
                raise
            told = ours.code if isinstance(ours, ProviderError) and ours.code else ours.message
            return f"made, but the model does not answer yet ({told})"
        return None

    # --- deployments -------------------------------------------------------------------------

    @override
    def terms(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentTerms:
        found = deploying.terms(model, spec)
        advice = None if self.settings.dated else deploying.route_advice(model, spec)
        return found.model_copy(update={"facts": (*found.facts, advice)}) if advice else found

    @override
    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        tags = deploying.lease_tags(spec.lease, resource=self.account(), name=spec.name)
        body = deploying.body(model, spec, tags=tags)
        tenant = deploying.checked_options(spec).source_tenant
        ref = self._ref(spec.name)
        if self._plane.read(spec.name, operation="deploy") is not None:
            raise ConflictError(
                f"There is a deployment {ref} already.",
                provider=self.info.name,
                operation="deploy",
                hint="Choose another name with --name, or undeploy it first.",
                ref=ref,
            )
        self._notes.keep(ref, self._plane.make(spec.name, body, tenant=tenant))
        return ref

    @override
    def deployment(self, ref: DeploymentRef) -> DeploymentSnapshot:
        found = self._plane.read(self._own(ref).id)
        if found is None:
            raise self._absent(ref)
        return self._snapshot(found)

    @override
    def deployments(self, *, cursor: str | None = None) -> DeploymentPage:
        found, after = self._plane.page(cursor)
        return DeploymentPage(deployments=tuple(self._snapshot(one) for one in found), cursor=after)

    @override
    def undeploy(self, ref: DeploymentRef) -> None:
        if not self._plane.delete(self._own(ref).id):
            raise self._absent(ref)
        self._notes.forget(self._ref(ref.id))

    @override
    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        found = self._plane.read(self._own(ref).id, operation="extend")
        if found is None:
            raise self._absent(ref)
        # What is sent replaces all tags, those of others too.
        kept = deploying.foreign_tags(found.get("tags") or {})
        tags = deploying.lease_tags(lease, resource=self.account(), name=ref.id)
        self._plane.retag(ref.id, {**kept, **tags})
        seen = self.deployment(ref)
        if seen.lease != lease:
            raise UnexpectedResponseError(
                f"{seen.ref} does not show the lease that was just written to it.",
                provider=self.info.name,
                operation="extend",
                hint="Run the same command again.",
                ref=seen.ref,
            )
        return seen

    def _ref(self, name: str) -> DeploymentRef:
        return DeploymentRef(provider=self.info.name, account=self.account(), id=name)

    def _own(self, ref: DeploymentRef) -> DeploymentRef:
        if ref.account not in (None, self.account()):
            raise ConfigurationError(
                f"{ref} is of {ref.account}; here it would be looked for at {self.account()}.",
                provider=self.info.name,
                hint="Set endpoint or resource to the one that has it.",
                ref=ref,
            )
        return ref

    def _absent(self, ref: DeploymentRef) -> NotFoundError:
        return NotFoundError(
            f"There is no deployment {ref.id} in {self.account()}.",
            provider=self.info.name,
            operation="deployment",
            hint="`ftproviders deployments` lists what is there.",
            ref=ref,
            status_code=404,
        )

    def _snapshot(self, found: Mapping[str, Any]) -> DeploymentSnapshot:
        url = v1_url(self._address).rstrip("/")
        seen = arm.snapshot(found, resource=self.account(), account=self.account(), url=url)
        self._models[seen.ref.id] = seen.model.name
        why = self._why_failed(seen.ref) if seen.status is DeploymentStatus.FAILED else None
        return seen if why is None else seen.model_copy(update={"error": why})

    def _why_failed(self, ref: DeploymentRef) -> JobFailure | None:
        """Ask the operation that made it, where its address was kept: nothing else knows."""
        url = self._notes.kept(ref)
        try:
            why = None if url is None else arm.failure_of(self._plane.operation(url))
        except FineTuneError:
            return None  # forgotten after a day or so; that it failed is known all the same
        if why is None:
            return None
        known = decode("arm", operation="deploy", code=why.code, message=why.message)
        return why if known is None else why.model_copy(update={"hint": known.fix})

    # --- errors ------------------------------------------------------------------------------

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        return (
            credential_error(error, provider=self.info.name, operation=operation)
            or self._plane.translated(error, operation)
            or super().translate(error, operation=operation)
        )

    @override
    def close(self) -> None:
        super().close()
        self._tokens.close()
        self._plane.close()
