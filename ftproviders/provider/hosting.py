"""The adapter that a host writes: where a tuned model answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from typing_extensions import override

from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    ProviderError,
    UnsupportedFeatureError,
)
from ftproviders.provider.completions import complete, stream
from ftproviders.provider.info import HostingFeature, ProviderInfo
from ftproviders.provider.options import ProviderSettings
from ftproviders.provider.training import missing_modules, translated_by_type
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import (
    ChatReply,
    DeploymentPage,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentTerms,
    Endpoint,
    Lease,
    Requirement,
)
from ftproviders.schema.job import TunedModel

__all__ = ["HostingAdapter"]


class HostingAdapter(ABC):
    """One host, as the runtime sees it.

    A host where a tuned model answers at once overrides nothing but `endpoint` and `credentials`;
    a host with deployments overrides and declares the first four of `HostingFeature`, and `extend`
    where a lease can be changed later.
    """

    info: ClassVar[ProviderInfo]

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} provider={self.info.name!r}>"

    # --- must be written ---------------------------------------------------------------------

    @abstractmethod
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        """Return where a model or deployment answers. The result holds no key.

        Raises:
            DeploymentError: The target does not answer, and why.
        """

    @abstractmethod
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Return the headers for one request; made on use and never stored."""

    # --- usually not overridden --------------------------------------------------------------

    def preflight(self) -> ConfigurationError | None:
        """Say why this adapter cannot work, or None. No network."""
        return missing_modules(self.info)

    def account(self) -> str:
        """Return the account whose deployments these are. No network, never a key.

        Override where one installation can reach several: namespaces, resources, workspaces.
        """
        return self.info.name

    def free(self) -> bool:
        """Say whether a deployment here never costs money. Override where settings decide it."""
        return self.info.free

    def now(self) -> datetime | None:
        """Return the host's own time, by which leases end; None = it tells none, take ours.

        Override where the service says what time it is, in a ``Date`` header for instance.
        """
        return None

    def reads_own_writes(self, error: ProviderError | None) -> bool:
        """Say whether one look by name settles what came of a request to deploy.

        Args:
            error: How the request failed; None = nobody knows: its process ended.
        """
        return self.info.reads_own_writes

    def sure_at_last(self) -> bool:
        """Say whether a look after the settle window settles it.

        True where a name that is not there then was not taken by any request before.
        """
        return self.info.reads_own_writes

    def requirements(self, *, ask: bool) -> Sequence[Requirement]:
        """Say what deploying here needs, and what of it is there. Override where that is much.

        Args:
            ask: The service may be asked, by harmless reads; False = no network.
        """
        return ()

    def terms(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentTerms:
        """Say what a deployment would be; asked before anything is agreed to. No network.

        Raises:
            ConfigurationError: The model cannot be deployed like this, and how it can.
        """
        return DeploymentTerms()

    def silence(self, ref: DeploymentRef) -> str | None:
        """Ask a deployment that is there whether it answers; in words why not yet, None = it does.

        Override where a host says ready before the model answers. It is asked while somebody waits
        for it, and not for lists: the question may cost a token.
        """
        return None

    def waits_for(self, endpoint: Endpoint) -> str | None:
        """Say in a sentence what an answer would first wait for; None = nothing that takes long.

        Override where a question may have to load a model.
        """
        return None

    def chat(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        """Ask the model. The default speaks OpenAI's chat completions; override for another shape.

        Args:
            endpoint: What `endpoint` returned.
            messages: The conversation; the last message is usually the user's.
            temperature: Sampling temperature; 0 = greedy; None = the host's default.
            max_tokens: Most tokens of the answer; None = the host's default.
        """
        return complete(
            endpoint,
            messages,
            headers=self.credentials(endpoint),
            temperature=temperature,
            max_tokens=max_tokens,
        )

    def stream(
        self,
        endpoint: Endpoint,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, ChatReply]:
        """Ask the model and yield the text as it comes; arguments are those of `chat`.

        The default speaks OpenAI's server-sent events, and where `chat` is overridden it yields
        what that returns, as one piece; override both for a host that streams in another shape.

        Returns:
            The whole answer, as the generator's value. Its text is that of the pieces.
        """
        if type(self).chat is not HostingAdapter.chat:
            reply = self.chat(endpoint, messages, temperature=temperature, max_tokens=max_tokens)
            if reply.text:
                yield reply.text
            return reply
        return (
            yield from stream(
                endpoint,
                messages,
                headers=self.credentials(endpoint),
                temperature=temperature,
                max_tokens=max_tokens,
            )
        )

    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        """Turn any exception of the SDK into one of ours."""
        if isinstance(error, FineTuneError):
            return error
        return translated_by_type(error, provider=self.info.name, operation=operation)

    def close(self) -> None:
        """Release connections and processes. Override when there are any; must be repeatable."""

    # --- deployments: override and declare together -------------------------------------------

    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        """Create a deployment; lease tags are written with the resource.

        The ref's id is ``spec.name``: after a lost answer the deployment is looked for by it.
        Readiness is not waited for.

        Raises:
            ConflictError: There is a deployment of that name already, whoever made it.
        """
        raise self._lacks(HostingFeature.DEPLOY)

    def deployment(self, ref: DeploymentRef) -> DeploymentSnapshot:
        """Read one deployment with its lease."""
        raise self._lacks(HostingFeature.DEPLOYMENT)

    def deployments(self, *, cursor: str | None = None) -> DeploymentPage:
        """Return one page of the account's deployments with their leases."""
        raise self._lacks(HostingFeature.DEPLOYMENTS)

    def undeploy(self, ref: DeploymentRef) -> None:
        """Delete a deployment."""
        raise self._lacks(HostingFeature.UNDEPLOY)

    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        """Give a deployment another lease; return the deployment as it then is."""
        raise self._lacks(HostingFeature.EXTEND)

    def _lacks(self, feature: HostingFeature) -> UnsupportedFeatureError:
        if feature is HostingFeature.EXTEND:
            return UnsupportedFeatureError(
                f"Provider {self.info.name} cannot change a deployment's lease.",
                feature=feature.value,
                provider=self.info.name,
                operation=feature.value,
                hint="Undeploy it when it is not needed any more, and deploy with another --ttl.",
            )
        return UnsupportedFeatureError(
            f"Provider {self.info.name} has no deployments: a tuned model answers at once.",
            feature=feature.value,
            provider=self.info.name,
            operation=feature.value,
            hint="Chat with the job or the model directly.",
        )
