"""Leases: whose a deployment is, until when, and which of them may be deleted when time is up.

Everything here decides; nothing here talks to a host.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ftproviders.errors import ConfigurationError
from ftproviders.schema.deployment import DeploymentSnapshot, DeploymentStatus, Lease

__all__ = ["GRACE", "ends_at", "is_ours", "parse_ttl", "tagged", "why_not_reaped"]

GRACE = timedelta(minutes=5)
"""How long past its end a lease must be before the deployment is deleted: clocks differ."""

_LONGEST = timedelta(days=366)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TTL = re.compile(r"(\d{1,9})([smhdw])")
_TTL_HINT = "Write it as 30m, 2h, 1d or 1h30m; the longest is 366d."


def parse_ttl(ttl: str | timedelta) -> timedelta:
    """Read how long a lease shall last.

    Args:
        ttl: Whole numbers with ``s``, ``m``, ``h``, ``d`` or ``w``: ``30m``, ``1h30m``.

    Raises:
        ConfigurationError: It is no such text, nothing, or more than 366 days.
    """
    if isinstance(ttl, timedelta):
        length, shown = ttl, str(ttl)
    else:
        text = ttl.replace(" ", "").lower()
        shown = repr(ttl)
        parts = _TTL.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ConfigurationError(f"{shown} is no length of time.", hint=_TTL_HINT)
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
        length = timedelta(seconds=min(seconds, 2 * _LONGEST.total_seconds()))
    if not timedelta(0) < length <= _LONGEST:
        raise ConfigurationError(f"A lease cannot last {shown}.", hint=_TTL_HINT)
    return length


def ends_at(ttl: str | timedelta, *, now: datetime) -> datetime:
    """Return when a lease of this length that begins now ends, to the second."""
    return (now + parse_ttl(ttl)).replace(microsecond=0)


def is_ours(seen: DeploymentSnapshot, *, me: str) -> bool:
    """Say whether a deployment was made from here: our tag, its own id, our name on it."""
    return seen.lease is not None and _genuine(seen, seen.lease) and seen.lease.owner == me


def tagged(seen: DeploymentSnapshot) -> bool:
    """Say whether ftproviders made a deployment, whoever used it."""
    return seen.lease is not None and _genuine(seen, seen.lease)


def why_not_reaped(
    seen: DeploymentSnapshot, *, me: str, all_owners: bool, now: datetime
) -> str | None:
    """Say why a deployment must not be deleted as expired, or None when it may be.

    Args:
        seen: The deployment as the host shows it.
        me: What `provider.machine.owner` returned.
        all_owners: Others' expired deployments count too.
        now: The host's time, or ours where it tells none.
    """
    lease = seen.lease
    if lease is None:
        return "it does not carry our tag"
    if not _genuine(seen, lease):
        return "its tag was copied from another deployment"
    if lease.expires_at is None:
        return "it has no expiry"
    if lease.owner != me and not all_owners:
        return f"it belongs to {lease.owner}"
    if now < lease.expires_at + GRACE:
        return "its lease has not ended for five minutes yet"
    if seen.status is DeploymentStatus.DELETING:
        return "it is being deleted already"
    return None


def _genuine(seen: DeploymentSnapshot, lease: Lease) -> bool:
    return lease.id == seen.ref.id
