"""The public, synchronous face: FineTuneClient and FineTuneJob.

A `FineTuneJob` is a view on a `JobRef`: it can be made again tomorrow, in another process, from the
text of the ref alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from typing_extensions import override

from ftproviders import data, registry
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError, JobError, ProviderError
from ftproviders.provider import DataProfile, Feature, ProviderInfo
from ftproviders.runtime import Clock, Session, planner, poll
from ftproviders.runtime import chat as chat_with
from ftproviders.runtime import doctor as checkup
from ftproviders.runtime import reconcile as books
from ftproviders.runtime import submit as submission
from ftproviders.runtime.poll import OnUpdate
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.dataset import ValidationReport
from ftproviders.schema.deployment import ChatReply
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    BaseModelInfo,
    Checkpoint,
    JobEvent,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
    TunedModel,
)
from ftproviders.schema.plan import JobPlan
from ftproviders.schema.submission import CheckResult, JobRecord, ReconcileReport

__all__ = ["FineTuneClient", "FineTuneJob"]


class FineTuneClient:
    """Validate, plan, submit, find again. Use it as a context manager, or call `close`.

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
        method: Method = Method.SUPERVISED,
        purpose: str = "training",
        max_issues: int = 100,
        model: str | None = None,
        exact_tokens: bool = False,
        secrets: data.SecretLevel = "warning",
        has_validation_file: bool | None = None,
        workers: int | None = None,
        source: BinaryIO | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ValidationReport:
        """Read a data file once and hold it against providers' rules.

        Args:
            file: Chat JSONL.
            providers: Whose rules; default every provider that tunes.
            method: Training method the rows are for.
            purpose: ``training`` or ``validation``.
            max_issues: How many issues to describe; counts are never capped.
            model: Base model, which may change limits and methods. Tokens are counted with its
                encoding or tokenizer, and rows rendered with its template, where these are known.
            exact_tokens: Count the tokens of every row, however large the file is.
            secrets: How bad keys, tokens and passwords in rows are; ``off`` = not looked for.
            has_validation_file: Whether there will be one; None = not said.
            workers: Processes that look at the rows; default the cores for a large file.
            source: Open stream to read instead of the file, standard input for instance.
            on_progress: Called with bytes read and bytes in all.

        Raises:
            DatasetError: The file cannot be read at all.
            UnknownProviderError: There is no such provider.
        """
        return data.validate(
            Path(file),
            profiles=self._profiles(providers, model),
            method=method,
            purpose=purpose,
            max_issues=max_issues,
            has_validation_file=has_validation_file,
            workers=workers,
            source=source,
            on_progress=on_progress,
            across_rows=True,
            model=self._base_model(model, exact=exact_tokens),
            exact_tokens=exact_tokens,
            secrets=secrets,
        )[1]

    def validate_pair(
        self,
        training: Path | str,
        validation: Path | str,
        *,
        providers: Sequence[str] | None = None,
        method: Method = Method.SUPERVISED,
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
            method=method,
            max_issues=max_issues,
            workers=workers,
            on_progress=on_progress,
            model=self._base_model(model, exact=exact_tokens),
            exact_tokens=exact_tokens,
            secrets=secrets,
        )
        one, two = data.validate_pair(training, validation, wishes)
        return one[1], two[1]

    def plan(self, spec: JobSpec) -> JobPlan:
        """Say what submitting would do and cost; sends nothing.

        Raises:
            DatasetError: A file is not fit for the provider.
            ConfigurationError: Provider, model, option or setting is not usable as it is.
            UnsupportedFeatureError: The provider does not have the method.
            CostLimitError: Too expensive, or of unknown cost while a limit was given.
        """
        return planner.plan(self._session, spec)

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
        self, *, adopt: str | JobRef | None = None, assume_absent: bool = False
    ) -> ReconcileReport:
        """Settle unknown outcomes and bring marked jobs back into the journal.

        Args:
            adopt: The job that an unresolved submission really has.
            assume_absent: Declare that unresolved submissions have no job.
        """
        ref = None if adopt is None else self._ref(adopt)
        return books.reconcile(self._session, adopt_ref=ref, assume_absent=assume_absent)

    def providers(self) -> Sequence[ProviderInfo]:
        """Return what every provider known here says of itself."""
        return [registry.info(name) for name in registry.names()]

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

    def chat(
        self,
        provider: str,
        model: str | TunedModel,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        """Ask any model of a provider, a base model for instance.

        Args:
            provider: Whose model.
            model: Its name or path, or a tuned model.
            messages: The prompt, or a whole conversation.
            system: System message to put in front.
            temperature: Sampling temperature; None = the provider's default.
            max_tokens: Most tokens of the answer; None = the provider's default.
        """
        return chat_with.chat(
            self._session,
            provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
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
        self, providers: Sequence[str] | None, model: str | None
    ) -> dict[str, DataProfile]:
        chosen = [registry.info(n) for n in providers] if providers else self._with_rules()
        return {info.name: info.data_profile(model) for info in chosen}

    def _base_model(self, model: str | None, *, exact: bool) -> data.BaseModelData | None:
        return data.find_base_model(model, exact=exact, cache=self.config.cache)

    def _with_rules(self) -> list[ProviderInfo]:
        return [info for info in self.providers() if info.training is not None or info.rules_only]

    def _trainers(self) -> list[ProviderInfo]:
        return [info for info in self.providers() if info.training is not None]

    def _view(self, ref: JobRef, *, snapshot: JobSnapshot | None = None) -> FineTuneJob:
        return FineTuneJob(self._session, ref, snapshot=snapshot)

    def _ref(self, ref: str | JobRef) -> JobRef:
        if isinstance(ref, JobRef):
            return ref
        return books.resolve_ref(self._session, ref)


class FineTuneJob:
    """One fine-tuning job, wherever it runs. Made by `FineTuneClient.submit` and `.job`."""

    def __init__(
        self,
        session: Session,
        ref: JobRef,
        *,
        snapshot: JobSnapshot | None = None,
        submission_id: str | None = None,
        attempt: int | None = None,
        reused: bool = True,
    ) -> None:
        self._session = session
        self._snapshot = snapshot
        self._submission_id = submission_id
        self._attempt = attempt
        self.ref = ref
        """The job's name; keep its text to come back."""
        self.reused = reused
        """True when the job was there before this call."""

    @override
    def __repr__(self) -> str:
        status = self._snapshot.status.value if self._snapshot else "not read yet"
        return f"<FineTuneJob {self.ref} {status}>"

    @property
    def snapshot(self) -> JobSnapshot:
        """The job as it was last seen; read once on first use."""
        return self._snapshot if self._snapshot is not None else self.refresh()

    @property
    def status(self) -> JobStatus:
        """Status as it was last seen."""
        return self.snapshot.status

    @property
    def model(self) -> TunedModel | None:
        """The tuned model, or None as long as it is not ready. Ready is not deployed."""
        if self.snapshot.model is None and not self.snapshot.status.terminal:
            self.refresh()
        return self.snapshot.model

    @property
    def submission_id(self) -> str | None:
        """Id of our submission, or None for a job that was made otherwise."""
        self._recall()
        return self._submission_id

    @property
    def attempt(self) -> int | None:
        """Which attempt of the submission this is, from 1."""
        self._recall()
        return self._attempt

    @property
    def account(self) -> str:
        """The full account string."""
        return self._session.adapter_for(self.ref).account()

    def refresh(self) -> JobSnapshot:
        """Read the job now.

        Raises:
            NotFoundError: There is no such job in this account.
            ProviderError: It cannot be read.
        """
        self._snapshot = self._session.retrieve(self.ref)
        return self._snapshot

    def wait(
        self, *, timeout_seconds: float | None = None, on_update: OnUpdate | None = None
    ) -> JobSnapshot:
        """Wait for the job's end; return its snapshot when it succeeded.

        Args:
            timeout_seconds: Give up waiting after this time; the job goes on.
            on_update: Given each changed snapshot and the events that are new.

        Raises:
            JobFailedError, JobCancelledError, JobPausedError: It ended so.
            StalledError: It has not changed for far too long.
            WaitTimeoutError: The time is over.
        """

        def keep(snapshot: JobSnapshot, events: Sequence[JobEvent]) -> None:
            self._snapshot = snapshot
            if on_update is not None:
                on_update(snapshot, events)

        return poll.wait(self._session, self.ref, timeout_seconds=timeout_seconds, on_update=keep)

    def events(self, *, after: str | None = None) -> Sequence[JobEvent]:
        """Return the job's events, oldest first.

        Args:
            after: Id of an event; only later ones are returned.

        Raises:
            UnsupportedFeatureError: The provider has no events.
        """
        adapter = self._session.adapter_for(self.ref)
        return self._session.call(adapter, "events", lambda: adapter.events(self.ref, after=after))

    def follow(self) -> Iterator[JobEvent]:
        """Yield events as they come, oldest first, until the job has ended or is paused."""
        cursor: str | None = None
        started = self._session.clock.monotonic()
        while True:
            snapshot = self.refresh()
            for event in self.events(after=cursor):
                cursor = event.id
                yield event
            if snapshot.status.terminal or snapshot.status is JobStatus.PAUSED:
                return
            elapsed = self._session.clock.monotonic() - started
            adapter = self._session.adapter_for(self.ref)
            self._session.clock.sleep(poll.pause_seconds(self._session, adapter, elapsed))

    def metrics(self) -> Sequence[JobEvent]:
        """Return the events that carry numbers, oldest first."""
        return [event for event in self.events() if event.kind == "metrics"]

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return the checkpoints, oldest first."""
        adapter = self._session.adapter_for(self.ref)
        return self._session.call(adapter, "checkpoints", lambda: adapter.checkpoints(self.ref))

    def cancel(self) -> JobSnapshot:
        """Ask the provider to cancel; a job that has ended stays as it is."""
        return self._change("cancel")

    def pause(self) -> JobSnapshot:
        """Ask the provider to pause."""
        return self._change("pause")

    def resume(self) -> JobSnapshot:
        """Continue a paused job."""
        return self._change("resume")

    def chat(
        self,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatReply:
        """Ask the tuned model.

        Args:
            messages: The prompt, or a whole conversation.
            system: System message to put in front; use the one of the training rows.
            temperature: Sampling temperature; None = the provider's default.
            max_tokens: Most tokens of the answer; None = the provider's default.

        Raises:
            JobError: The model is not ready yet.
        """
        model = self.model
        if model is None:
            raise JobError(
                f"{self.ref} has no model yet: it is {self.status.value}.",
                snapshot=self.snapshot,
                operation="chat",
                hint=f"Wait for it: ftproviders watch {self.ref}",
            )
        return chat_with.chat(
            self._session,
            self.ref.provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
        )

    def needs_consent(self) -> bool:
        """Say whether changing this job may cost money."""
        return not self._session.adapter_for(self.ref).free()

    def acknowledge(self) -> None:
        """Write down that the user has seen the ref; `submit --again` builds on it."""
        if self.submission_id is not None:
            self._session.journal.shown(self.submission_id, at=self._session.clock.now())

    def _change(self, operation: str) -> JobSnapshot:
        adapter = self._session.adapter_for(self.ref)
        act: Callable[[JobRef], JobSnapshot] = getattr(adapter, operation)
        current = self.refresh()
        if operation == "cancel" and current.status.terminal:
            return current
        try:
            self._snapshot = self._session.call(adapter, operation, lambda: act(self.ref))
        except ProviderError:
            # An answer may have been lost although the request was carried out: look.
            after = self.refresh()
            if operation == "cancel" and after.status in (
                JobStatus.CANCELLED,
                JobStatus.CANCELLING,
            ):
                return after
            raise
        self._session.remember(adapter, self._snapshot)
        return self._snapshot

    def _recall(self) -> None:
        if self._submission_id is not None:
            return
        record = self._session.journal.job(self.ref)
        if record is not None and record.submission_id is not None:
            self._submission_id, self._attempt = record.submission_id, record.attempt
        elif self._snapshot is not None:
            self._submission_id = self._snapshot.submission_id
