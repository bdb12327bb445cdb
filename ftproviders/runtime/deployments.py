"""Deployments that are there: read, list, wait until ready, extend, undeploy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from ftproviders import registry
from ftproviders.errors import (
    ConfigurationError,
    DeploymentError,
    DeploymentFailedError,
    DeploymentTimeoutError,
    FineTuneError,
    JournalError,
    NotFoundError,
    ProviderError,
)
from ftproviders.provider import HostingAdapter, HostingFeature
from ftproviders.runtime import leases
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentStatus,
)
from ftproviders.schema.job import JobRef

__all__ = [
    "OnSeen",
    "delete",
    "extend",
    "failed",
    "forget",
    "host_time",
    "listed",
    "look_up",
    "names_deployment",
    "read",
    "read_or_forget",
    "resolve_ref",
    "undeploy",
    "wait_ready",
]

OnSeen = Callable[[DeploymentSnapshot], None]

_ANSWERS = (DeploymentStatus.READY, DeploymentStatus.IDLE)
_SLOWEST_POLL_SECONDS = 30.0


# --- refs -------------------------------------------------------------------------------------


def resolve_ref(session: Session, text: str) -> DeploymentRef:
    """Read a full ref, or a name that the journal makes unique.

    Raises:
        ConfigurationError: The text names no deployment, or more than one.
    """
    hint = "`ftproviders deployments` lists refs."
    if ":" in text:
        try:
            ref = DeploymentRef.parse(text)
        except ValueError as error:
            raise ConfigurationError(f"{error}.", hint=hint) from error
        registry.info(ref.provider)
        found = _beginning(session, ref)
        return ref if not found or _there(session, ref) else _only(found, text)
    found = session.journal.deployments.matching(text) if text.strip() else ()
    if found:
        return _only(found, text)
    raise ConfigurationError(f"No deployment {text!r} is known here.", hint=hint)


def _beginning(session: Session, ref: DeploymentRef) -> Sequence[DeploymentRef]:
    """Return the journal's deployments whose names begin so; none where it has just this one."""
    try:
        found = session.journal.deployments.matching(ref.id, within=ref)
    except JournalError:
        return ()  # a whole ref needs no journal
    return () if any(known.id == ref.id for known in found) else found


def _only(found: Sequence[DeploymentRef], text: str) -> DeploymentRef:
    if len(found) == 1:
        return found[0]
    shown = ", ".join(str(ref) for ref in found[:5])
    raise ConfigurationError(
        f"{text!r} fits more than one deployment: {shown}.", hint="Write the whole ref."
    )


def names_deployment(session: Session, text: str) -> bool:
    """Say whether a ref, which jobs and deployments write alike, names a deployment.

    The journal decides where it knows one of the two; else the host is asked, and only for what
    has no job of that name.
    """
    if ":" not in text:
        return bool(text.strip()) and _named_in_journal(session, text)
    try:
        ref = DeploymentRef.parse(text)
        info = registry.info(ref.provider)
    except (ValueError, ConfigurationError):
        return False  # taking it for a job says what is wrong with it
    if info.training is None:
        return info.hosting is not None
    job = JobRef(provider=ref.provider, account=ref.account, id=ref.id)
    known = session.journal.deployments.rows()
    if any(row.ref is not None and str(row.ref) == str(ref) for row in known):
        return session.journal.job(job) is None
    if session.journal.job(job) is not None:
        return False
    if HostingFeature.DEPLOYMENT not in info.hosting_features:
        return False
    try:
        session.retrieve(job)
    except NotFoundError:
        if _there(session, ref):
            return True
        return bool(_beginning(session, ref)) and not session.journal.matching(job.id, within=job)
    except FineTuneError:
        return False  # whoever takes it for a job meets the same error and says so
    return False


def _there(session: Session, ref: DeploymentRef) -> bool:
    try:
        return look_up(session, session.hosting(ref.provider), ref) is not None
    except ConfigurationError:
        return False  # no deployment can have that name


def _named_in_journal(session: Session, text: str) -> bool:
    jobs, found = session.journal.matching(text), session.journal.deployments.matching(text)
    if any(ref.id == text for ref in found):
        return True
    return bool(found) and not jobs


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
            hint="Use the profile, key or machine with which it was deployed.",
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
    last: DeploymentSnapshot | None = None
    while True:
        seen = read(session, ref)
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


def delete(session: Session, host: HostingAdapter, seen: DeploymentSnapshot) -> None:
    """Delete what was just read; one that is gone meanwhile is gone."""
    try:
        session.call(host, "undeploy", lambda: host.undeploy(seen.ref), ref=seen.ref)
    except NotFoundError:
        pass  # somebody else was faster, or an answer was lost
    except ProviderError as error:
        # An answer may have been lost although the request was carried out: look.
        after = look_up(session, host, seen.ref)
        if not (after is None or after.status is DeploymentStatus.DELETING):
            error.hint = f"It is still there. Try again: ftproviders undeploy {seen.ref}"
            raise
    forget(session, seen.ref)


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
