"""What `FineTuneClient` does with deployments: make, take up, list, reap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ftproviders.client.deployment import Deployment
from ftproviders.errors import ConfigurationError, MissingSettingError
from ftproviders.runtime import Session, deployments, hosts, naming
from ftproviders.runtime import deploy as once
from ftproviders.runtime import reap as reaper
from ftproviders.runtime.deploy import Proposal
from ftproviders.schema.deployment import (
    DeploymentRecord,
    DeploymentRef,
    DeploymentSnapshot,
    ReapReport,
)
from ftproviders.schema.job import TunedModel

__all__ = ["DeployingClient"]


class DeployingClient:
    """The part of `FineTuneClient` that knows deployments."""

    _session: Session

    def deploy(
        self,
        model: TunedModel,
        *,
        provider: str | None = None,
        name: str | None = None,
        ttl: str | timedelta | None = None,
        options: Mapping[str, Any] | None = None,
        agree: Callable[[Proposal], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> Deployment:
        """Return the deployment of a tuned model, creating it if it is not there yet.

        Of a job, `FineTuneJob.deploy` does the same. It does not wait: see `Deployment.wait_ready`.

        Args:
            model: What shall answer.
            provider: Host; None = where the model was tuned.
            name: Its name at the host; None = one that follows from the model.
            ttl: How long it may live before `reap` deletes it, for instance ``2h``; None = no end.
            options: What the host alone has.
            agree: Given what is about to be made, before anything is sent; raises to stop.
            on_progress: Told in words what is being done.

        Raises:
            ConfigurationError: No such host, or it does not take the model.
            ConflictError: The name belongs to something that is not ours or serves another model.
            DeploymentFailedError: It is there and has failed.
            OutcomeUnknownError: The request was sent and nobody can say what came of it.
            ProviderError: The host refused or cannot be asked.
        """
        made = once.deploy(
            self._session,
            model,
            name=name or hosts.default_name(model, job=None),
            provider=provider,
            ttl=ttl,
            options=options,
            agree=agree,
            on_progress=on_progress,
        )
        seen = made.snapshot
        return Deployment(self._session, seen.ref, snapshot=seen, created=made.created)

    def deployment(self, ref: str | DeploymentRef) -> Deployment:
        """Take up a deployment by its ref; whoever made it, and without a journal row.

        Args:
            ref: ``provider:[account/]id``, or a name that the journal makes unique.

        Raises:
            ConfigurationError: The text names no deployment, or more than one.
        """
        found = naming.resolve_ref(self._session, ref) if isinstance(ref, str) else ref
        return Deployment(self._session, found)

    def names_deployment(self, ref: str) -> bool:
        """Say whether a ref, which jobs and deployments write alike, names a deployment."""
        return naming.names_deployment(self._session, ref)

    def deployments(self, provider: str | None = None) -> Sequence[DeploymentSnapshot]:
        """Return what a host has now, or every host that is set up here, whoever made it.

        Raises:
            ProviderError: A host cannot be asked: what costs money is not left out silently.
        """
        if provider is not None:
            return list(deployments.listed(self._session, provider))
        found: list[DeploymentSnapshot] = []
        for info in hosts.hosts():
            try:
                self._session.hosting(info.name)
            except ConfigurationError:
                continue  # not set up here; `doctor` says why
            try:
                found += list(deployments.listed(self._session, info.name))
            except MissingSettingError:
                continue  # nobody deploys there from here
        return found

    def deployment_records(self) -> Sequence[DeploymentRecord]:
        """Return the journal's deployments, newest first; `deployments` has the truth."""
        return self._session.journal.deployments.rows()

    def reap(
        self,
        *,
        provider: str | None = None,
        all_owners: bool = False,
        agree: Callable[[Sequence[DeploymentSnapshot]], None] | None = None,
    ) -> ReapReport:
        """Delete deployments whose lease ended more than five minutes ago; nothing else, ever.

        Only what carries our tag with its own id, has an expiry and was made from here; each is
        read once more just before.

        Args:
            provider: Host; None = every host that is set up here.
            all_owners: Others' expired deployments too.
            agree: Given what is about to be deleted, when that is anything; raises to stop.
        """
        return reaper.reap(self._session, provider=provider, all_owners=all_owners, agree=agree)
