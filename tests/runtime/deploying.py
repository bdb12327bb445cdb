"""What the tests of deployments share: a job to deploy, and resources that others made."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.schema.deployment import DeploymentSnapshot
from tests.runtime.conftest import World

ME = "me@machine-0000abcd"
OTHER = "somebody@elsewhere-1234abcd"


def finished(client: FineTuneClient, world: World) -> FineTuneJob:
    """Return a job whose model can be deployed."""
    job = client.submit(world.spec())
    job.wait()
    return job


def plant(
    world: World,
    name: str,
    *,
    model: str,
    tag: str | None = None,
    owner: str | None = OTHER,
    expires_at: datetime | None = None,
) -> None:
    """Make a deployment behind the client's back; no `owner` = no tags, `tag` = its stored id."""
    tags = {}
    if owner is not None:
        expires = expires_at.isoformat() if expires_at else None
        tags = {"lease_id": tag or name, "lease_owner": owner, "lease_expires_at": expires}
    answer = world.server.request("deploy", {"name": name, "model": model, "tags": tags})
    assert json.loads(answer)["id"] == name


def names(listed: list[DeploymentSnapshot] | tuple[DeploymentSnapshot, ...]) -> set[str]:
    return {seen.ref.id for seen in listed}


def past(world: World, **ago: float) -> datetime:
    return world.clock.now() - timedelta(**ago)
