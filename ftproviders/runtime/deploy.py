"""Deploy once: choose a host, look for the name, write the intent, create, write the outcome.

A deployment may cost money for as long as it is there. Its name is fixed before anything is sent,
so that whatever happens in between - a lost answer, a kill, a second process - the same command
finds it again. Nothing that is not ours is adopted, overwritten or deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ftproviders.errors import (
    ConfigurationError,
    ConflictError,
    FineTuneError,
    JournalError,
    OutcomeUnknownError,
    ProviderError,
)
from ftproviders.planning import HostingPrice, hosting_price
from ftproviders.provider import HostingAdapter
from ftproviders.provider.machine import owner
from ftproviders.runtime import leases
from ftproviders.runtime.deployments import delete, failed, host_time, look_up
from ftproviders.runtime.hosts import choose_host
from ftproviders.runtime.keys import refuse_keys
from ftproviders.runtime.lock import submission_lock
from ftproviders.runtime.session import Session, passing
from ftproviders.schema.deployment import (
    DeploymentRecord,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentState,
    DeploymentStatus,
    DeploymentTerms,
    Lease,
)
from ftproviders.schema.job import TunedModel

__all__ = ["Deployed", "Proposal", "deploy"]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A deployment that is about to be made; nothing has been sent for it."""

    provider: str
    model: TunedModel
    spec: DeploymentSpec
    free: bool
    """False = it may cost money for as long as it is there."""
    terms: DeploymentTerms
    """What the host says that it would be."""
    price: HostingPrice | None
    """What it costs to be there; None = unknown."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The deployment of a name."""

    snapshot: DeploymentSnapshot
    created: bool
    """False when it was there before this call."""


def deploy(
    session: Session,
    model: TunedModel,
    *,
    name: str,
    provider: str | None = None,
    ttl: str | timedelta | None = None,
    options: Mapping[str, Any] | None = None,
    agree: Callable[[Proposal], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Deployed:
    """Return the deployment of a name, creating it if, and only if, it is not there yet.

    Args:
        session: Settings, clock, journal, adapters.
        model: What shall answer.
        name: Its name at the host.
        provider: Host; None = where the model was tuned.
        ttl: How long it may live before `reap` deletes it; None = it has no expiry.
        options: What the host alone has.
        agree: Given what is about to be made, before anything is sent; raises to stop. Not called
            when the deployment is there already.
        on_progress: Told in words what is being done.

    Raises:
        ConfigurationError: No such host, or it does not take the model; or the name is in use with
            other options.
        ConflictError: Something that is not ours, or that serves another model, has the name.
        DeploymentFailedError: It is there and has failed.
        OutcomeUnknownError: The request was sent and nobody can say what came of it.
        ProviderError: The host refused or cannot be asked.
        JournalError: The journal cannot be written; nothing was sent.
    """
    host = session.hosting(choose_host(model, provider))
    given = {"name": name, "options": dict(options or {})}
    refuse_keys(given, of="deployment", provider=host.info.name, operation="deploy")
    me = owner(session.config.home)
    end = None if ttl is None else leases.ends_at(ttl, now=host_time(session, host))
    lease = Lease(id=name, owner=me, expires_at=end)
    spec = DeploymentSpec(name=name, lease=lease, options=dict(options or {}))
    terms = session.call(host, "deploy", lambda: host.terms(model, spec))
    run = _Run(session, host, model, spec, on_progress=on_progress or (lambda _text: None))
    if agree is not None and run.present() is None:
        agree(
            Proposal(
                provider=host.info.name,
                model=model,
                spec=spec,
                free=host.free(),
                terms=terms,
                price=hosting_price(host.info.name, terms.tier),
            )
        )
    with submission_lock(
        session.config,
        run.lock_name,
        on_progress=run.on_progress,
        doing="deploying under the same name",
        operation="deploy",
    ):
        return run.go()


class _Run:
    """One deploy command."""

    def __init__(
        self,
        session: Session,
        host: HostingAdapter,
        model: TunedModel,
        spec: DeploymentSpec,
        *,
        on_progress: Callable[[str], None],
    ) -> None:
        self.session = session
        self.host = host
        self.model = model
        self.spec = spec
        self.on_progress = on_progress
        self.provider = host.info.name
        self.me = spec.lease.owner if spec.lease else ""
        self.by_name = DeploymentRef(provider=self.provider, id=spec.name)
        self.rows = session.journal.deployments

    @property
    def lock_name(self) -> str:
        """Name of the lock: one for each deployment that can exist."""
        text = f"{self.provider}\n{self.host.account()}\n{self.spec.name}"
        return f"deploy-{hashlib.sha256(text.encode()).hexdigest()[:24]}"

    def present(self) -> DeploymentSnapshot | None:
        """Return our deployment of the name, or None when the name is free.

        One of ours of which the end of its lease has left nothing but a log holds no name.

        Raises:
            ConflictError: What has the name is not ours or serves something else.
        """
        seen = look_up(self.session, self.host, self.by_name)
        return None if seen is None or self._expired(seen) else self._claimed(seen)

    def _expired(self, seen: DeploymentSnapshot) -> bool:
        over = seen.status is DeploymentStatus.FAILED and seen.raw_status == "expired"
        return over and leases.is_ours(seen, me=self.me)

    def _present_or_cleared(self) -> DeploymentSnapshot | None:
        """Like `present`, and remove what an ended lease of ours has left under the name."""
        seen = look_up(self.session, self.host, self.by_name)
        if seen is None or not self._expired(seen):
            return None if seen is None else self._claimed(seen)
        self.on_progress(f"the lease of {seen.ref} has ended; replacing it")
        delete(self.session, self.host, seen)
        return None

    def go(self) -> Deployed:
        """Do it, under the lock."""
        row = self._row()
        seen = self._present_or_cleared()
        if seen is None and row is not None and row.maybe_sent:
            seen = self._settle(row)
        if seen is not None:
            return self._adopt(row, seen)
        return self._create(earlier_unknown=row is not None and row.maybe_sent)

    # --- what is there ------------------------------------------------------------------------

    def _row(self) -> DeploymentRecord | None:
        return self.rows.row(self.provider, account=self.host.account(), name=self.spec.name)

    def _record(self) -> DeploymentRecord:
        return DeploymentRecord(
            provider=self.provider,
            account=self.host.account(),
            name=self.spec.name,
            state=DeploymentState.INTENT,
            model=self.model,
            options=self.spec.options,
            created_at=self.session.clock.now(),
        )

    def _claimed(self, seen: DeploymentSnapshot) -> DeploymentSnapshot:
        """Return what has the name if it is ours and serves the model; refuse anything else."""
        if not leases.is_ours(seen, me=self.me):
            whose = "it carries no tag of ours"
            if seen.lease is not None:
                whose = f"it belongs to {seen.lease.owner}"
                if seen.lease.owner == self.me:
                    whose = "its tag was copied from another deployment"
            raise self._taken(seen, whose)
        if (seen.model.source, seen.model.name) != (self.model.source, self.model.name):
            raise self._taken(seen, f"it serves {seen.model.name}, not {self.model.name}")
        return seen

    def _taken(self, seen: DeploymentSnapshot, why: str) -> ConflictError:
        return ConflictError(
            f"There is a deployment {seen.ref} already, and {why}. It was left as it is.",
            provider=self.provider,
            operation="deploy",
            hint="Choose another name with --name; `ftproviders deployments` shows what is there.",
            ref=seen.ref,
        )

    def _adopt(self, row: DeploymentRecord | None, seen: DeploymentSnapshot) -> Deployed:
        """Return a deployment of ours that was there before; a failed one only to say so."""
        current = row if row is not None and row.state is not DeploymentState.REFUSED else None
        if current is not None and dict(current.options) != dict(self.spec.options):
            raise ConfigurationError(
                f"{seen.ref} was made with other options. It was left as it is.",
                provider=self.provider,
                operation="deploy",
                hint=f"Choose another name with --name, or first: ftproviders undeploy {seen.ref}",
                ref=seen.ref,
            )
        self.rows.created(self._record(), seen.ref)
        if seen.status in (DeploymentStatus.FAILED, DeploymentStatus.DELETING):
            raise failed(seen, operation="deploy")
        return Deployed(snapshot=seen, created=False)

    # --- after a lost answer --------------------------------------------------------------------

    def _settle(self, row: DeploymentRecord) -> DeploymentSnapshot | None:
        """Look for what an earlier request may have made; None = it may be sent again."""
        window = self.session.config.settle_seconds
        passed = 0.0
        if row.sent_at is not None:
            passed = max((self.session.clock.now() - row.sent_at).total_seconds(), 0.0)
        left = max(window - passed, 0.0)
        if left > 0:
            self.on_progress(f"an earlier answer was lost; looking for {self.by_name}")
        seen = self._look(left, None)
        if seen is None and row.state is DeploymentState.INTENT:
            if not self.host.sure_at_last():
                raise self._unknown(row)
            self.rows.settle(row, DeploymentState.REFUSED, reason="the host has none of this name")
        return seen

    def _look(self, seconds: float, lost: ProviderError | None) -> DeploymentSnapshot | None:
        """Look for the name again and again for `seconds`, and once more at the end.

        Once is enough where the host is done with the request that failed with `lost`.
        """
        clock = self.session.clock
        deadline = clock.monotonic() + seconds
        pause = min(max(seconds / 20, 0.05), 5.0)
        while True:
            left = deadline - clock.monotonic()
            try:
                seen = self.present()
            except ConflictError:
                raise
            except ProviderError as error:
                if left <= 0 or not passing(error):
                    raise
            else:
                if seen is not None or left <= 0 or self.host.reads_own_writes(lost):
                    return seen
            clock.sleep(min(pause, max(left, 0.001)))

    def _unknown(self, row: DeploymentRecord) -> OutcomeUnknownError:
        """Write down that the user is being told, and return what to tell."""
        unwritten = ""
        try:
            self.rows.settle(row, DeploymentState.UNKNOWN, reason="the answer was lost")
        except JournalError as error:
            unwritten = f" ({error.message})"
        return OutcomeUnknownError(
            f"The request to make {self.by_name} was sent, its answer was lost, and there was "
            f"nothing of that name within {self.session.config.settle_seconds:g} seconds. It was "
            f"not sent again, because it may have been carried out.{unwritten}",
            submission_id=row.name,
            provider=self.provider,
            operation="deploy",
            hint="Run: ftproviders deployments - when it is not shown there after a while, the "
            "same deploy command sends it once more.",
            ref=self.by_name,
        )

    # --- sending ------------------------------------------------------------------------------

    def _create(self, *, earlier_unknown: bool) -> Deployed:
        record = self._record()
        if not earlier_unknown:
            # An unknown row keeps what it is until its request goes out once more.
            self.rows.begin(record)
        self.on_progress(f"deploying {self.model.name} as {self.by_name}")

        def create() -> DeploymentRef:
            # Before every try, so that the settle window counts from the one that went out last.
            self.rows.sending(record, at=self.session.clock.now())
            return self.host.deploy(self.model, self.spec)

        try:
            ref = self.session.call(
                self.host,
                "deploy",
                create,
                # Only what the host surely did not carry out is ever sent again.
                retry=lambda error: (
                    isinstance(error, ProviderError)
                    and error.retryable
                    and not error.maybe_executed
                ),
                ref=self.by_name,
            )
        except JournalError:
            raise  # nothing was sent
        except FineTuneError as error:
            if isinstance(error, ProviderError) and error.maybe_executed:
                return self._after_lost_answer(record, error)
            if isinstance(error, ConflictError) and self._made_by_a_try_before():
                return self._after_lost_answer(record, error)
            state = DeploymentState.UNKNOWN if earlier_unknown else DeploymentState.REFUSED
            self.rows.settle(record, state, reason=error.message)
            raise
        return self._written(record, ref)

    def _made_by_a_try_before(self) -> bool:
        """Say whether what has the name is what this very command has made.

        It was not there before the first try, and the lock keeps every other command of ours away.
        """
        try:
            return self.present() is not None
        except FineTuneError:
            return False

    def _after_lost_answer(self, record: DeploymentRecord, error: ProviderError) -> Deployed:
        self.on_progress(f"the answer was lost; looking for {self.by_name}")
        try:
            seen = self._look(self.session.config.settle_seconds, error)
        except ConflictError:
            self.rows.settle(record, DeploymentState.REFUSED, reason="the name is taken")
            raise
        except ProviderError:
            raise self._unknown(record) from error
        if seen is not None:
            self.rows.created(record, seen.ref)
            return Deployed(snapshot=seen, created=True)
        if self.host.sure_at_last():
            self.rows.settle(record, DeploymentState.REFUSED, reason=error.message)
            raise error
        raise self._unknown(record) from error

    def _written(self, record: DeploymentRecord, ref: DeploymentRef) -> Deployed:
        """Write the outcome down first; only then read the deployment."""
        try:
            self.rows.created(record, ref)
        except JournalError as error:
            raise JournalError(
                f"{ref} was made, but that could not be written down: {error.message}",
                operation="deploy",
                hint=f"It is there. To delete it: ftproviders undeploy {ref}",
            ) from error
        provisional = DeploymentSnapshot(
            ref=ref,
            status=DeploymentStatus.CREATING,
            raw_status="",
            model=self.model,
            lease=self.spec.lease,
        )
        try:
            seen = self.session.call(
                self.host, "deployment", lambda: self.host.deployment(ref), ref=ref
            )
        except FineTuneError:
            seen = provisional  # it is there; the next look will show it
        return Deployed(snapshot=seen, created=True)
