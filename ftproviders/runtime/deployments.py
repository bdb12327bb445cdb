"""Deployments that are there: read, list, wait until ready, extend, undeploy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from ftproviders import registry
from ftproviders.errors import (
    ConfigurationError,
    DeploymentError,
    DeploymentFailedError,
    DeploymentTimeoutError,
    JournalError,
    NotFoundError,
    ProviderError,
    ProviderTimeoutError,
)
from ftproviders.provider import HostingAdapter
from ftproviders.runtime import leases
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
)

__all__ = [
    "OnSeen",
    "delete",
    "extend",
    "failed",
    "forget",
    "host_time",
    "listed",
    "look_up",
    "read",
    "read_or_forget",
    "undeploy",
    "wait_ready",
]

OnSeen = Callable[[DeploymentSnapshot], None]

_ANSWERS = (DeploymentStatus.READY, DeploymentStatus.IDLE)
_SLOWEST_POLL_SECONDS = 30.0
_LONGEST_SILENCE_SECONDS = 600.0
"""How long a deployment that its host calls ready may stay silent before waiting is given up."""
_LONGEST_DELETING_SECONDS = 300.0
_DELETE_AGAIN_SECONDS = 30.0


# --- look -------------------------------------------------------------------------------------


def look_up(
    session: Session, host: HostingAdapter, ref: DeploymentRef
) -> DeploymentSnapshot | None:
    """Read a deployment that may not be there."""
    try:
        return session.call(host, "deployment", lambda: host.deployment(ref), ref=ref)
    except NotFoundError:
        return None


def read(session: Session, ref: DeploymentRef) -> DeploymentSnapshot:
    """Read a deployment now.

    Raises:
        NotFoundError: There is none; if the journal knew it, that is written down.
        ConfigurationError: The ref belongs to another account than the one in use.
        ProviderError: It cannot be read.
    """
    host = session.hosting(ref.provider)
    try:
        seen = session.call(host, "deployment", lambda: host.deployment(ref), ref=ref)
    except NotFoundError as error:
        error.hint = "It may have been deleted; `ftproviders deployments` shows what is there."
        raise
    if ref.account not in (None, seen.ref.account):
        here = seen.ref.account or f"the default account of {ref.provider}"
        raise ConfigurationError(
            f"{ref} belongs to {ref.account}; here it would be read in {here}.",
            provider=ref.provider,
            hint="Use the profile, address, key or machine with which it was deployed.",
            ref=ref,
        )
    return seen


def listed(session: Session, provider: str) -> Iterator[DeploymentSnapshot]:
    """Yield every deployment of the account at one host, page by page."""
    host = session.hosting(provider)
    cursor: str | None = None
    while True:
        page = session.call(host, "deployments", partial(host.deployments, cursor=cursor))
        yield from page.deployments
        cursor = page.cursor
        if cursor is None:
            return


# --- wait -------------------------------------------------------------------------------------


def wait_ready(
    session: Session,
    ref: DeploymentRef,
    *,
    timeout_seconds: float | None = None,
    on_update: OnSeen | None = None,
) -> DeploymentSnapshot:
    """Look at a deployment until it answers.

    Args:
        session: Settings, clock, adapters.
        ref: The deployment.
        timeout_seconds: How long to wait; None = as long as it takes. It is never touched.
        on_update: Given each changed snapshot.

    Raises:
        DeploymentFailedError: It failed, or is being deleted.
        DeploymentTimeoutError: The time is over; it goes on.
        NotFoundError: There is none, or it was deleted meanwhile.
    """
    started = session.clock.monotonic()
    silent_since: float | None = None
    last: DeploymentSnapshot | None = None
    while True:
        seen = _asked(session, read(session, ref))
        if seen.silent:
            now = session.clock.monotonic()
            silent_since = now if silent_since is None else silent_since
            if now - silent_since > _LONGEST_SILENCE_SECONDS:
                raise _silent(seen)
        if seen != last and on_update is not None:
            on_update(seen)
        last = seen
        if seen.status in _ANSWERS:
            return seen
        if seen.status in (DeploymentStatus.FAILED, DeploymentStatus.DELETING):
            raise failed(seen, operation="wait")
        elapsed = session.clock.monotonic() - started
        if timeout_seconds is not None and elapsed >= timeout_seconds:
            raise DeploymentTimeoutError(
                f"{ref} was not ready within {timeout_seconds:g} seconds. It is "
                f"{seen.status.value}.",
                snapshot=seen,
                operation="wait",
                hint=f"It goes on. Look with: ftproviders deployments - or end it: ftproviders "
                f"undeploy {ref}",
            )
        pause = _pause_seconds(session, ref, elapsed)
        if timeout_seconds is not None:
            pause = min(pause, timeout_seconds - elapsed)
        session.clock.sleep(max(pause, 0.0))


def _asked(session: Session, seen: DeploymentSnapshot) -> DeploymentSnapshot:
    """Ask one that its host calls ready whether it answers; one that does not is not ready."""
    if seen.status is not DeploymentStatus.READY:
        return seen
    host = session.hosting(seen.ref.provider)
    why = session.call(host, "chat", lambda: host.silence(seen.ref), ref=seen.ref)
    if why is None:
        return seen
    changes = {"status": DeploymentStatus.CREATING, "doing": why, "silent": True}
    return seen.model_copy(update=changes)


def _silent(seen: DeploymentSnapshot) -> DeploymentFailedError:
    return DeploymentFailedError(
        f"{seen.ref} has been {seen.raw_status or 'ready'} for {_LONGEST_SILENCE_SECONDS / 60:.0f} "
        f"minutes and does not answer: {seen.doing}.",
        snapshot=seen,
        operation="wait",
        hint=f"Waiting longer seldom helps. Run: ftproviders undeploy {seen.ref} - wait 20 "
        "seconds, and deploy again.",
    )


def _pause_seconds(session: Session, ref: DeploymentRef, elapsed_seconds: float) -> float:
    if session.config.poll_seconds is not None:
        return session.config.poll_seconds
    shortest = registry.info(ref.provider).poll_seconds
    return min(max(elapsed_seconds / 20, shortest), max(_SLOWEST_POLL_SECONDS, shortest))


def failed(seen: DeploymentSnapshot, *, operation: str) -> DeploymentFailedError:
    """Return what to raise for a deployment that will not answer."""
    if seen.status is DeploymentStatus.DELETING:
        return DeploymentFailedError(
            f"{seen.ref} is being deleted.",
            snapshot=seen,
            operation=operation,
            hint="When `ftproviders deployments` does not show it any more, deploy again.",
        )
    reason = f": {seen.error.message}" if seen.error else "."
    log = f"Its log: {seen.log}. " if seen.log else ""
    return DeploymentFailedError(
        f"{seen.ref} failed{reason}",
        snapshot=seen,
        operation=operation,
        hint=f"{log}Correct the cause, then: ftproviders undeploy {seen.ref} - and deploy again.",
    )


# --- change -----------------------------------------------------------------------------------


def undeploy(session: Session, ref: DeploymentRef) -> DeploymentSnapshot:
    """Delete a deployment that ftproviders made; return it as it was before.

    Raises:
        NotFoundError: There is none.
        DeploymentError: It does not carry our tag; nothing without it is ever deleted.
        ProviderError: The host refused, or it is still there.
    """
    host = session.hosting(ref.provider)
    seen = read_or_forget(session, ref)
    if not leases.tagged(seen):
        raise _not_ours(seen, "undeploy")
    delete(session, host, seen)
    return seen


def read_or_forget(session: Session, ref: DeploymentRef) -> DeploymentSnapshot:
    """Read a deployment; one that is gone is written down as gone."""
    try:
        return read(session, ref)
    except NotFoundError:
        forget(session, ref)
        raise


def delete(
    session: Session, host: HostingAdapter, seen: DeploymentSnapshot, *, wait: bool = True
) -> None:
    """Delete what was just read; one that is gone meanwhile is gone.

    Args:
        session: Settings, clock, adapters.
        host: Its host.
        seen: The deployment.
        wait: Stay until it is gone; False = the host has begun to delete it.

    Raises:
        ProviderError: The host refused, or it is still there.
    """
    try:
        session.call(host, "undeploy", lambda: host.undeploy(seen.ref), ref=seen.ref)
    except NotFoundError:
        pass  # somebody else was faster, or an answer was lost
    except ProviderError as error:
        # An answer may have been lost although the request was carried out: look.
        after = look_up(session, host, seen.ref)
        if not (after is None or after.status is DeploymentStatus.DELETING):
            again = f"It is still there. Try again: ftproviders undeploy {seen.ref}"
            error.hint = f"{error.hint} {again}".strip()
            raise
    if wait:
        _until_gone(session, host, seen)
    forget(session, seen.ref)


def _until_gone(session: Session, host: HostingAdapter, seen: DeploymentSnapshot) -> None:
    asked = session.clock.monotonic()
    deadline = asked + _LONGEST_DELETING_SECONDS
    while True:
        after = look_up(session, host, seen.ref)
        if after is None:
            return
        now = session.clock.monotonic()
        deleting = after.status is DeploymentStatus.DELETING
        if not deleting and after.created_at != seen.created_at:
            return  # another of that name has been made since
        if not deleting and now - asked > _DELETE_AGAIN_SECONDS:
            # The answer said that it is being deleted, and nothing else does.
            asked = now
            session.call(host, "undeploy", partial(host.undeploy, seen.ref), ref=seen.ref)
        left = deadline - session.clock.monotonic()
        if left <= 0:
            raise ProviderTimeoutError(
                f"{seen.ref} is being deleted and was still there after "
                f"{_LONGEST_DELETING_SECONDS:.0f} seconds.",
                provider=seen.ref.provider,
                operation="undeploy",
                hint="It goes on. Look with: ftproviders deployments",
                ref=seen.ref,
            )
        elapsed = _LONGEST_DELETING_SECONDS - left
        session.clock.sleep(min(_pause_seconds(session, seen.ref, elapsed), left))


def forget(session: Session, ref: DeploymentRef) -> None:
    """Write down that a deployment is gone."""
    try:
        session.journal.deployments.gone(ref)
    except JournalError:
        return  # the host is the truth; the journal only lists


def extend(session: Session, ref: DeploymentRef, ttl: str | timedelta) -> DeploymentSnapshot:
    """Let a deployment live until `ttl` from now.

    Raises:
        ConfigurationError: `ttl` is no length of time, or would end the lease earlier.
        UnsupportedFeatureError: The host cannot change leases.
        DeploymentError: It does not carry our tag.
    """
    length = leases.parse_ttl(ttl)
    host = session.hosting(ref.provider)
    seen = read_or_forget(session, ref)
    if seen.lease is None or not leases.tagged(seen):
        raise _not_ours(seen, "extend")
    end = leases.ends_at(length, now=host_time(session, host))
    before = seen.lease.expires_at
    if before is not None and end < before:
        raise ConfigurationError(
            f"The lease of {seen.ref} ends at {before:%Y-%m-%d %H:%M:%S} UTC, which is later than "
            f"{ttl} from now.",
            provider=ref.provider,
            operation="extend",
            hint=f"Give a longer --ttl; to end it before: ftproviders undeploy {seen.ref}",
            ref=seen.ref,
        )
    lease = seen.lease.model_copy(update={"expires_at": end})
    # Writing the same lease twice does no harm, so a lost answer is simply asked for again.
    return session.call(host, "extend", lambda: host.extend(seen.ref, lease), ref=seen.ref)


def _not_ours(seen: DeploymentSnapshot, operation: str) -> DeploymentError:
    why = "carries no tag of ours"
    if seen.lease is not None:
        why = f"carries a tag that was copied from {seen.lease.id}"
    return DeploymentError(
        f"{seen.ref} {why}, so it is left as it is.",
        provider=seen.ref.provider,
        operation=operation,
        hint="Whoever made it can change it with the provider's own tools.",
        ref=seen.ref,
    )


def host_time(session: Session, host: HostingAdapter) -> datetime:
    """Return the time by which leases end: the host's own, or ours where it tells none."""
    return session.call(host, "now", host.now) or session.clock.now()
