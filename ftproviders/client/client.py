"""FineTuneClient: validate, plan, submit, find again, reconcile; `deploying` has the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from ftproviders import data, registry
from ftproviders.client.chatting import ChattingClient
from ftproviders.client.deploying import DeployingClient
from ftproviders.client.job import FineTuneJob
from ftproviders.client.keeping import KeepingClient
from ftproviders.client.planning import PlanningClient
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError
from ftproviders.provider import DataProfile, Feature, ProviderInfo
from ftproviders.runtime import Clock, Session, measuring
from ftproviders.runtime import doctor as checkup
from ftproviders.runtime import reconcile as books
from ftproviders.runtime import submit as submission
from ftproviders.schema.dataset import ValidationReport
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    BaseModelInfo,
    JobRef,
    JobSnapshot,
    JobSpec,
)
from ftproviders.schema.methods import MethodMeasurements, MethodTable
from ftproviders.schema.plan import JobPlan
from ftproviders.schema.submission import CheckResult, JobRecord, ReconcileReport

__all__ = ["FineTuneClient"]

_log = logging.getLogger("ftproviders")


class FineTuneClient(PlanningClient, DeployingClient, KeepingClient, ChattingClient):
    """Validate, plan, submit, find again, deploy. Use it as a context manager, or call `close`.

    Args:
        config: Folders, waiting times, profile; default: environment and ``config.toml``.
        profile: Profile of ``config.toml`` to use when `config` is not given.
        settings: Provider name -> connection settings by argument; they win over everything.
        session: A ready session (the test seam).

    Raises:
        ConfigurationError: The configuration is not acceptable.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        profile: str | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        clock: Clock | None = None,
        session: Session | None = None,
    ) -> None:
        self._session = session or Session(
            config or Config.load(profile=profile), settings=settings, clock=clock
        )

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._session.config

    def validate(
        self,
        file: str | Path,
        *,
        providers: Sequence[str] | None = None,
        method: Method | str = Method.SUPERVISED,
        purpose: str = "training",
        max_issues: int = 100,
        model: str | None = None,
        exact_tokens: bool = False,
        secrets: data.SecretLevel = "warning",
        has_validation_file: bool | None = None,
        row_tokens: int | None = None,
        workers: int | None = None,
        source: BinaryIO | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ValidationReport:
        """Read a data file once and hold it against providers' rules.

        Args:
            file: Chat JSONL.
            providers: Whose rules; default every provider that tunes.
            method: Training method the rows are for, or its name (``"dpo"``).
            purpose: ``training`` or ``validation``.
            max_issues: How many issues to describe; counts are never capped.
            model: Base model: its limits and methods; its tokenizer and template, where known.
            exact_tokens: Count the tokens of every row, however large the file is.
            secrets: How bad keys, tokens and passwords in rows are; ``off`` = not looked for.
            has_validation_file: Whether there will be one; None = not said, at most an info.
            row_tokens: Most tokens of a row, in place of what providers and models take.
            workers: Processes that look at the rows; default the cores for a large file.
            source: Open stream to read instead of the file, standard input for instance.
            on_progress: Called with bytes read and bytes in all.

        Raises:
            DatasetError: The file cannot be read at all.
            ConfigurationError: No such method or level.
            UnknownProviderError: There is no such provider.
        """
        wishes = data.Wishes(
            profiles=self._profiles(providers, model, row_tokens),
            method=data.parse_method(method),
            max_issues=max_issues,
            workers=workers,
            on_progress=on_progress,
            model=self._base_model(model, exact=exact_tokens),
            exact_tokens=exact_tokens,
            secrets=secrets,
        )
        return data.look_at(
            Path(file),
            wishes,
            purpose=purpose,
            has_validation_file=has_validation_file,
            source=source,
        )

    def validate_pair(
        self,
        training: Path | str,
        validation: Path | str,
        *,
        providers: Sequence[str] | None = None,
        method: Method | str = Method.SUPERVISED,
        max_issues: int = 100,
        model: str | None = None,
        exact_tokens: bool = False,
        secrets: data.SecretLevel = "warning",
        workers: int | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> tuple[ValidationReport, ValidationReport]:
        """Validate a training and a validation file, and find what stands in both.

        Arguments and errors are those of `validate`. Rows that stand in both files are issues of
        the validation file.
        """
        wishes = data.Wishes(
            profiles=self._profiles(providers, model),
            method=data.parse_method(method),
            max_issues=max_issues,
            workers=workers,
            on_progress=on_progress,
            model=self._base_model(model, exact=exact_tokens),
            exact_tokens=exact_tokens,
            secrets=secrets,
        )
        return data.validate_pair(training, validation, wishes)

    def submit(
        self,
        spec: JobSpec | JobPlan,
        *,
        again: bool = False,
        acknowledge: bool = True,
        on_progress: Callable[[str], None] | None = None,
    ) -> FineTuneJob:
        """Return the job of a spec, creating it if, and only if, it is not there yet.

        Calling it again - after a crash, in another process - returns the same job.

        Args:
            spec: What is wanted, or the plan that was looked at.
            again: Make a new attempt although the newest one is known.
            acknowledge: False when the caller shows the ref and then calls `acknowledge` itself.
            on_progress: Told in words what is being done.

        Raises:
            JobFailedError, JobCancelledError: The job of this spec ended so before.
            OutcomeUnknownError: A request was sent and nobody can say what came of it.
            ProviderError: The provider refused or cannot be asked.
            JournalError: The journal cannot be written; nothing was sent.
        """
        plan = spec if isinstance(spec, JobPlan) else self.plan(spec)
        made = submission.submit(self._session, plan, again=again, on_progress=on_progress)
        job = FineTuneJob(
            self._session,
            made.snapshot.ref,
            snapshot=made.snapshot,
            submission_id=made.submission_id,
            attempt=made.attempt,
            reused=made.reused,
        )
        if acknowledge:
            job.acknowledge()
        return job

    def job(self, ref: str | JobRef) -> FineTuneJob:
        """Take up a job by its ref; whoever made it, and without a journal row.

        Args:
            ref: ``provider:[account/]id``, or a job or submission id (or its beginning) where the
                journal or the configuration makes it unique.

        Raises:
            ConfigurationError: The text names no job, or more than one.
        """
        return self._view(self._ref(ref))

    def jobs(self) -> Sequence[JobRecord]:
        """Return the journal: every submission and adopted job, newest first."""
        return self._session.journal.records()

    def remote_jobs(self, provider: str) -> Iterator[JobSnapshot]:
        """Yield the jobs that a provider lists, whoever made them, newest first."""
        return books.list_jobs(self._session, self._session.training(provider))

    def adopt(self, ref: str | JobRef) -> FineTuneJob:
        """Take a job into the journal, whoever made it.

        Raises:
            NotFoundError: The provider has no such job in this account.
        """
        found = self._ref(ref)
        snapshot = books.adopt(self._session, found)
        return self._view(found, snapshot=snapshot)

    def reconcile(
        self,
        *,
        adopt: str | JobRef | None = None,
        assume_absent: bool = False,
        submission: str | None = None,
    ) -> ReconcileReport:
        """Settle unknown outcomes and bring marked jobs back into the journal.

        Args:
            adopt: The job that an unresolved submission really has.
            assume_absent: Declare that unresolved submissions have no job.
            submission: Id of the one submission to settle; default all.

        Raises:
            ConfigurationError: `adopt` fits none of the unresolved submissions, or several.
        """
        ref = None if adopt is None else self._ref(adopt)
        report = books.reconcile(
            self._session, adopt_ref=ref, assume_absent=assume_absent, submission=submission
        )
        for record in report.resolved:
            if record.submission_id is not None and record.ref is not None:
                # The report is how the user is given the ref.
                self._session.journal.shown(record.submission_id, at=self._session.clock.now())
        return report

    def providers(self) -> Sequence[ProviderInfo]:
        """Return what every provider known here says of itself.

        A third party's package that cannot be loaded is left out with a logged warning; `doctor`
        and `provider` say what is wrong with it.
        """
        found: list[ProviderInfo] = []
        for name in registry.names():
            try:
                found.append(registry.info(name))
            except ConfigurationError as error:
                _log.warning("%s", error)
        return found

    def provider(self, name: str) -> ProviderInfo:
        """Return what one provider says of itself.

        Raises:
            UnknownProviderError: There is none of this name; the hint names the nearest.
        """
        return registry.info(name)

    def models(self, provider: str | None = None) -> Sequence[BaseModelInfo]:
        """Return models that can be tuned, and tuned ones, of one provider or of all set up here.

        Raises:
            UnsupportedFeatureError: The provider named cannot list models.
        """
        if provider is not None:
            adapter = self._session.training(provider)
            return self._session.call(adapter, "models", adapter.models)
        found: list[BaseModelInfo] = []
        for info in self._trainers():
            if Feature.MODELS not in info.features:
                continue
            try:
                found.extend(self.models(info.name))
            except ConfigurationError:
                continue  # not set up here; `doctor` says why
        return found

    def methods(self) -> MethodTable:
        """Return which tuning method serves which purpose, with source and date."""
        return measuring.method_table()

    def measure_methods(
        self,
        *,
        base_model: str | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> MethodMeasurements:
        """Train for some steps with each tuning here, and hold the numbers against the table."""
        return measuring.measure(
            self._session,
            base_model=base_model,
            steps=steps,
            batch_size=batch_size,
            on_progress=on_progress or (lambda _text: None),
        )

    def doctor(self) -> Sequence[CheckResult]:
        """Look at folders, journal and providers; each provider gets one harmless read."""
        return list(checkup.doctor(self._session))

    def close(self) -> None:
        """Close journal, connections and helper processes; running jobs are not touched."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _profiles(
        self, providers: Sequence[str] | None, model: str | None, row_tokens: int | None = None
    ) -> dict[str, DataProfile]:
        chosen = [registry.info(n) for n in providers] if providers else self._with_rules()
        found = {info.name: info.data_profile(model) for info in chosen}
        own = {name: replace(one, maximum_row_tokens=row_tokens) for name, one in found.items()}
        return found if row_tokens is None else own

    def _base_model(self, model: str | None, *, exact: bool) -> data.BaseModelData | None:
        return data.find_base_model(model, exact=exact, cache=self.config.cache)

    def _with_rules(self) -> list[ProviderInfo]:
        return [info for info in self.providers() if info.training is not None or info.rules_only]

    def _trainers(self) -> list[ProviderInfo]:
        return [info for info in self.providers() if info.training is not None]

    def _view(self, ref: JobRef, *, snapshot: JobSnapshot | None = None) -> FineTuneJob:
        return FineTuneJob(self._session, ref, snapshot=snapshot)
