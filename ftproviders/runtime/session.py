"""What every operation of the runtime needs: settings, clock, journal, adapters, and retries."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tenacity

from ftproviders import registry
from ftproviders.config import Config
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    JournalError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    UnexpectedResponseError,
)
from ftproviders.journal import Journal
from ftproviders.provider import Feature, HostingAdapter, TrainingAdapter
from ftproviders.runtime.clock import Clock, SystemClock
from ftproviders.schema.deployment import DeploymentRef
from ftproviders.schema.job import JobRef, JobSnapshot

__all__ = ["Session", "asked_pause", "passing"]

_Result = TypeVar("_Result")
_log = logging.getLogger("ftproviders")
_LONGEST_PAUSE_SECONDS = 300.0
"""Who asks for a longer pause is not asked again by itself, rather than too early."""


class Session:
    """Adapters and journal of one user, made on first use.

    Args:
        config: Folders, waiting times, profile.
        settings: Provider name -> connection settings by argument.
        clock: Time; default the machine's.
        environ: Environment for providers' settings; default ``os.environ``.
        adapters: Ready adapters by provider name (the test seam).
    """

    def __init__(
        self,
        config: Config,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        adapters: Mapping[str, TrainingAdapter] | None = None,
        hosts: Mapping[str, HostingAdapter] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self._settings = {k.replace("_", "-"): dict(v) for k, v in (settings or {}).items()}
        self._environ = os.environ if environ is None else environ
        self._training: dict[str, TrainingAdapter] = dict(adapters or {})
        self._hosting: dict[str, HostingAdapter] = dict(hosts or {})
        self._journal: Journal | None = None
        self._journal_pid = 0

    # --- parts -------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """The journal; opened on first use.

        Raises:
            JournalError: It cannot be opened.
        """
        if self._journal is None or self._journal_pid != os.getpid():
            # A forked child must not use its parent's SQLite connection.
            self._journal = Journal(self.config.home / "journal.db")
            self._journal_pid = os.getpid()
        return self._journal

    def training(self, provider: str) -> TrainingAdapter:
        """Return the training adapter of a provider, made once.

        Raises:
            ConfigurationError: No such provider, or it is not set up.
        """
        name = provider.replace("_", "-")
        if name not in self._training:
            given = self._settings.get(name, {})
            self._training[name] = registry.training_adapter(
                name, self.config, environ=self._environ, **given
            )
        adapter = self._training[name]
        problem = adapter.preflight()
        if problem is not None:
            raise problem
        return adapter

    def hosting(self, provider: str) -> HostingAdapter:
        """Return the hosting adapter of a provider, made once."""
        name = provider.replace("_", "-")
        if name not in self._hosting:
            given = self._settings.get(name, {})
            self._hosting[name] = registry.hosting_adapter(
                name, self.config, environ=self._environ, **given
            )
        adapter = self._hosting[name]
        problem = adapter.preflight()
        if problem is not None:
            raise problem
        return adapter

    def close(self) -> None:
        """Close journal and adapters; may be called again."""
        for trainer in self._training.values():
            trainer.close()
        for host in self._hosting.values():
            host.close()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    # --- calls -------------------------------------------------------------------------------

    def call(
        self,
        adapter: TrainingAdapter | HostingAdapter,
        operation: str,
        function: Callable[[], _Result],
        *,
        retry: Callable[[FineTuneError], bool] | None = None,
        ref: JobRef | DeploymentRef | None = None,
    ) -> _Result:
        """Run one provider call; every exception comes out as one of ours.

        Args:
            adapter: Whose call it is; it translates exceptions.
            operation: Its name, for errors.
            function: The call itself.
            retry: Which errors to try again after; default `passing`. Waits as long as the
                provider asks for, up to five minutes, else exponentially with jitter.
            ref: The job or deployment concerned; errors name it.
        """
        may_retry = retry or passing

        def attempt() -> _Result:
            try:
                return function()
            # The one place where whatever an SDK raises becomes one of ours.
            except Exception as error:
                translated = adapter.translate(error, operation=operation)
                translated.ref = translated.ref or ref
                if translated is error:
                    raise
                raise translated from error

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.config.attempts),
            wait=_pause,
            retry=tenacity.retry_if_exception(
                lambda error: (
                    isinstance(error, FineTuneError)
                    and may_retry(error)
                    and asked_pause(error) <= _LONGEST_PAUSE_SECONDS
                )
            ),
            sleep=self.clock.sleep,
            reraise=True,
        )(attempt)

    def adapter_for(self, ref: JobRef) -> TrainingAdapter:
        """Return the adapter that can read a job.

        Raises:
            ConfigurationError: The ref belongs to another account or machine than this one.
        """
        adapter = self.training(ref.provider)
        ours = {None, adapter.public_account(), adapter.account()}
        if ref.account not in ours:
            raise ConfigurationError(
                f"{ref} belongs to {ref.account}; here {ref.provider} is {adapter.account()}.",
                provider=ref.provider,
                hint="Use the profile, address, key or machine with which the job was made.",
                ref=ref,
            )
        return adapter

    def retrieve(self, ref: JobRef) -> JobSnapshot:
        """Read a job and keep what was seen in the journal, if the journal can be written."""
        adapter = self.adapter_for(ref)
        snapshot = self.call(adapter, "retrieve", lambda: adapter.retrieve(ref), ref=ref)
        self.remember(adapter, snapshot)
        return snapshot

    def remember(self, adapter: TrainingAdapter, snapshot: JobSnapshot) -> None:
        """Keep a snapshot of a job that the journal knows. Reading works without a journal."""
        try:
            if self.journal.job(snapshot.ref) is not None:
                account = adapter.account()
                self.journal.seen(snapshot, account=account, at=self.clock.now())
        except JournalError as error:
            _log.warning("%s The job itself is not affected.", error)

    def verify(self, ref: JobRef) -> JobSnapshot:
        """Read a journaled job with the present credentials.

        Raises:
            ConfigurationError: It is not there or may not be read: another account?
        """
        adapter = self.adapter_for(ref)
        try:
            snapshot = self.call(adapter, "retrieve", lambda: adapter.retrieve(ref))
        except (NotFoundError, PermissionDeniedError) as error:
            raise ConfigurationError(
                f"The journal has {ref} for this submission, but {ref.provider} does not show it "
                f"to {adapter.account()} ({error.message}).",
                provider=ref.provider,
                operation="submit",
                hint="Is this another account, project or key? Nothing was sent. Use the one the "
                "job was made with; if the job was deleted there, submit with --again.",
                ref=ref,
            ) from error
        self.remember(adapter, snapshot)
        return snapshot

    def has(self, adapter: TrainingAdapter, feature: Feature) -> bool:
        """Say whether the provider declares a feature."""
        return feature in adapter.info.features


def passing(error: FineTuneError) -> bool:
    """Say whether a harmless request may succeed a little later, unchanged."""
    return error.retryable or isinstance(error, UnexpectedResponseError)


def asked_pause(error: BaseException | None) -> float:
    """Return for how many seconds a provider asked to be left alone; 0 when it did not ask."""
    asked = error.retry_after if isinstance(error, ProviderError) else None
    return max(asked or 0.0, 0.0)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError) and error.retry_after is not None:
        return asked_pause(error)
    backoff = min(0.5 * 2.0 ** (state.attempt_number - 1), 8.0)
    return backoff * random.uniform(0.75, 1.25)  # noqa: S311 - jitter is no secret
