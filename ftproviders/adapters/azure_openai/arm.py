"""Azure's -> ours, for deployments: what Resource Manager shows, and what it refuses with.

Pure functions; no SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ftproviders.adapters.azure_openai.deploying import (
    DEVELOPER_SECONDS,
    TAG_EXPIRES,
    TAG_ID,
    TAG_OWNER,
)
from ftproviders.errors import UnexpectedResponseError
from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.job import JobFailure, ModelSource, TunedModel

__all__ = ["failure_of", "moment", "snapshot", "status_of"]

_WORDS: Mapping[str, DeploymentStatus] = {
    "accepted": DeploymentStatus.CREATING,
    "creating": DeploymentStatus.CREATING,
    "moving": DeploymentStatus.CREATING,
    "updating": DeploymentStatus.CREATING,
    "succeeded": DeploymentStatus.READY,
    "failed": DeploymentStatus.FAILED,
    "canceled": DeploymentStatus.FAILED,
    "cancelled": DeploymentStatus.FAILED,
    "disabled": DeploymentStatus.FAILED,
    "deleting": DeploymentStatus.DELETING,
}
_PROVIDER = "azure-openai"
_TUNED = ".ft-"


def status_of(word: str) -> DeploymentStatus:
    """Return what a provisioning word means; one that nobody knows is unknown, never an error."""
    return _WORDS.get(word.lower(), DeploymentStatus.UNKNOWN)


def snapshot(
    found: Mapping[str, Any],
    *,
    resource: str,
    account: str | None,
    url: str | None,
    failure: JobFailure | None = None,
) -> DeploymentSnapshot:
    """Return a deployment as Resource Manager shows it.

    Args:
        found: The resource, with Azure's names.
        resource: Name of the account that has it.
        account: What refs write.
        url: Base address of the OpenAI-shaped API.
        failure: Why it failed, where that is known.

    Raises:
        UnexpectedResponseError: It has no name.
    """
    name = found.get("name")
    if not isinstance(name, str) or not name:
        raise UnexpectedResponseError(
            "azure-openai showed a deployment without a name.",
            provider=_PROVIDER,
            hint="Try again; if it stays so, check arm_endpoint.",
            raw=dict(found),
        )
    properties = _mapping(found.get("properties"))
    model = _mapping(properties.get("model"))
    word = str(properties.get("provisioningState") or "")
    status = status_of(word)
    created = moment(_mapping(found.get("systemData")).get("createdAt"))
    tier = _mapping(found.get("sku")).get("name")
    return DeploymentSnapshot(
        ref=DeploymentRef(provider=_PROVIDER, account=account, id=name),
        status=status,
        raw_status=word,
        model=_model(str(model.get("name") or "")),
        created_at=created,
        lease=_lease(_mapping(found.get("tags")), resource=resource, name=name),
        url=url,
        model_name=name,
        tier=str(tier) if tier else None,
        removed_at=_removed_at(str(tier or ""), created),
        error=(failure or _unsaid(word)) if status is DeploymentStatus.FAILED else None,
    )


def _model(name: str) -> TunedModel:
    base, tuned, _ = name.partition(_TUNED)
    return TunedModel(
        source=ModelSource.PROVIDER_MODEL,
        name=name,
        provider=_PROVIDER,
        base_model=base if tuned else None,
    )


def _lease(tags: Mapping[str, Any], *, resource: str, name: str) -> Lease | None:
    """Read a lease. One whose end cannot be read has none: it is then never reaped."""
    written, owner = tags.get(TAG_ID), tags.get(TAG_OWNER)
    if not written or not owner:
        return None
    genuine = str(written).lower() == f"{resource}/{name}".lower()
    return Lease(
        id=name if genuine else str(written),
        owner=str(owner),
        expires_at=moment(tags.get(TAG_EXPIRES)),
    )


def moment(text: object) -> datetime | None:
    """Read a time; None when it is none."""
    if isinstance(text, datetime):
        return text if text.tzinfo else text.replace(tzinfo=UTC)
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _removed_at(tier: str, created: datetime | None) -> datetime | None:
    if created is None or not tier.lower().startswith("developer"):
        return None
    return created + timedelta(seconds=DEVELOPER_SECONDS)


def failure_of(operation: Mapping[str, Any]) -> JobFailure | None:
    """Read why a long-running operation failed."""
    error = _mapping(operation.get("error"))
    code, message = error.get("code"), error.get("message")
    if not (code or message):
        return None
    return JobFailure(
        message=str(message or f"the service gives only the code {code}"),
        code=str(code) if code else None,
    )


def _unsaid(word: str) -> JobFailure:
    return JobFailure(
        message=f"the service says {word} and no reason",
        hint="The activity log of the resource has it. Often the model is not available in that "
        "region, or not with that SKU.",
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
