"""Pure function: a deployment's files -> our value. No disk, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.job import JobFailure, TunedModel

__all__ = ["to_deployment"]

_WORDS = {
    "pending": DeploymentStatus.CREATING,
    "preparing": DeploymentStatus.CREATING,
    "merging": DeploymentStatus.CREATING,
    "starting": DeploymentStatus.CREATING,
    "asking": DeploymentStatus.CREATING,
    "restarting": DeploymentStatus.CREATING,
    "ready": DeploymentStatus.READY,
    "stopping": DeploymentStatus.DELETING,
    "stopped": DeploymentStatus.DELETING,
    "expired": DeploymentStatus.FAILED,
    "failed": DeploymentStatus.FAILED,
}
_DOING = {
    "pending": "starting its supervisor",
    "preparing": "getting the model ready",
    "merging": "merging the adapter into its base model",
    "starting": "starting the server, which loads the model",
    "asking": "waiting for the first answer",
    "restarting": "starting the server again",
}
_FINAL = frozenset({"stopped", "expired", "failed"})


def to_deployment(
    ref: DeploymentRef,
    *,
    order: Mapping[str, Any],
    lease: Mapping[str, Any] | None,
    status: Mapping[str, Any],
    alive: bool,
    key_file: str,
    log: str,
) -> DeploymentSnapshot:
    """Return a deployment as its folder tells it.

    Args:
        ref: Its name.
        order: ``deployment.json``.
        lease: What ``lease.json`` holds.
        status: ``status.json``.
        alive: Whether its supervisor lives.
        key_file: Where the token is.
        log: Where supervisor and server print.
    """
    word = str(status.get("status", "pending"))
    error = status.get("error")
    if not alive and word not in _FINAL:
        word, error = "interrupted", _interrupted(ref, log)
    known = DeploymentStatus.FAILED if word == "interrupted" else _WORDS.get(word)
    created = order.get("created_at")
    return DeploymentSnapshot(
        ref=ref,
        status=known or DeploymentStatus.UNKNOWN,
        raw_status=word,
        model=TunedModel.model_validate(order["model"]),
        created_at=datetime.fromisoformat(created) if created else None,
        lease=None if lease is None else Lease.model_validate(lease),
        url=status.get("url"),
        model_name=order.get("name"),
        key_file=key_file,
        log=log,
        error=None if error is None else JobFailure.model_validate(error),
        doing=_DOING.get(word),
    )


def _interrupted(ref: DeploymentRef, log: str) -> dict[str, str]:
    return {
        "message": "The supervisor of the server ended without a verdict: it was killed, or the "
        f"machine was restarted. The log is {log}. Run `ftproviders undeploy {ref}`, then deploy "
        "again.",
        "code": "interrupted",
    }
