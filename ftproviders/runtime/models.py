"""Deleting a tuned model: what stands in the way is named, with the command that removes it."""

from __future__ import annotations

from ftproviders.errors import ConflictError, FineTuneError
from ftproviders.provider import HostingFeature
from ftproviders.runtime.deployments import listed
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import DeploymentRef
from ftproviders.schema.job import JobRef

__all__ = ["delete_model"]


def delete_model(session: Session, provider: str, name: str, *, ref: JobRef | None = None) -> None:
    """Delete a tuned model by its name, for good.

    Args:
        session: Settings, clock, adapters.
        provider: Where it was tuned.
        name: The model's name there.
        ref: Its job, where that is known; errors name it.

    Raises:
        ConflictError: A deployment serves it; the hint names which, where the host can be asked.
        NotFoundError: There is no such model.
        UnsupportedFeatureError: The provider does not delete models.
    """
    adapter = session.training(provider)
    try:
        session.call(adapter, "delete_model", lambda: adapter.delete_model(name), ref=ref)
    except ConflictError as error:
        serving = _serving(session, adapter.info.name, name)
        if serving:
            first = "; ".join(f"ftproviders undeploy {one}" for one in serving)
            error.hint = f"It is deployed as {', '.join(map(str, serving))}. First run: {first}"
        raise


def _serving(session: Session, provider: str, name: str) -> list[DeploymentRef]:
    """Return the deployments of a model; none where the host has none or cannot be asked."""
    try:
        host = session.hosting(provider)
        if HostingFeature.DEPLOYMENTS not in host.info.hosting_features:
            return []
        return [seen.ref for seen in listed(session, provider) if seen.model.name == name]
    except FineTuneError:
        return []  # for instance, its management is not set up here: the refusal says enough
