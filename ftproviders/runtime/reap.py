"""Deleting deployments whose lease has ended: listed first, read once more just before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftproviders.errors import ConfigurationError, FineTuneError, MissingSettingError
from ftproviders.provider import HostingAdapter
from ftproviders.provider.machine import owner
from ftproviders.runtime import leases
from ftproviders.runtime.deployments import delete, forget, host_time, listed, look_up
from ftproviders.runtime.hosts import hosts
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import DeploymentSnapshot, ReapReport, Spared

__all__ = ["reap"]


def reap(
    session: Session,
    *,
    provider: str | None = None,
    all_owners: bool = False,
    agree: Callable[[Sequence[DeploymentSnapshot]], None] | None = None,
) -> ReapReport:
    """Delete deployments whose lease has ended; nothing else, ever.

    Args:
        session: Settings, clock, adapters.
        provider: Host; None = every host that is set up.
        all_owners: Others' expired deployments too.
        agree: Given what is about to be deleted, when that is anything; raises to stop.
    """
    me = owner(session.config.home)
    problems: list[str] = []
    expired: list[DeploymentSnapshot] = []
    for name in [provider] if provider is not None else [info.name for info in hosts()]:
        try:
            host = session.hosting(name)
        except ConfigurationError:
            if provider is not None:
                raise
            continue  # not set up here, so nothing of it can be deleted from here
        try:
            expired += _expired(session, host, me=me, all_owners=all_owners)
        except MissingSettingError as error:
            # Nobody deploys there from here; whoever named it wants to know.
            problems += [] if provider is None else [f"{name}: {error}"]
        except FineTuneError as error:
            problems.append(f"{name}: {error}")
    if expired and agree is not None:
        agree(expired)
    deleted: list[DeploymentSnapshot] = []
    spared: list[Spared] = []
    for seen in expired:
        try:
            reason = _reap_one(session, seen, me=me, all_owners=all_owners)
        except FineTuneError as error:
            problems.append(f"{seen.ref}: {error}")
            continue
        if reason is None:
            deleted.append(seen)
        else:
            spared.append(Spared(deployment=seen, reason=reason))
    return ReapReport(deleted=tuple(deleted), spared=tuple(spared), problems=tuple(problems))


def _expired(
    session: Session, host: HostingAdapter, *, me: str, all_owners: bool
) -> list[DeploymentSnapshot]:
    there = list(listed(session, host.info.name))
    if not there:
        return []
    # By the host's time after the listing, which nothing in it can be younger than.
    now = host_time(session, host)
    return [
        seen
        for seen in there
        if leases.why_not_reaped(seen, me=me, all_owners=all_owners, now=now) is None
    ]


def _reap_one(
    session: Session, seen: DeploymentSnapshot, *, me: str, all_owners: bool
) -> str | None:
    """Read once more and delete; return why it was not deleted."""
    host = session.hosting(seen.ref.provider)
    fresh = look_up(session, host, seen.ref)
    if fresh is None:
        forget(session, seen.ref)
        return "it is gone already"
    now = host_time(session, host)
    reason = leases.why_not_reaped(fresh, me=me, all_owners=all_owners, now=now)
    if reason is None:
        # Deleting many takes a while each; that the host has begun is enough.
        delete(session, host, fresh, wait=False)
    return reason
