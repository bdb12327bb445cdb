"""FineTuneJob: a view on a `JobRef`.

It can be made again tomorrow, in another process, from the text of the ref alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from ftproviders.client.deployment import Deployment
from ftproviders.client.reading import JobReading
from ftproviders.errors import ConfigurationError, JobError, ProviderError
from ftproviders.runtime import Session, exporting, hosts, models, poll
from ftproviders.runtime import chat as chat_with
from ftproviders.runtime import deploy as once
from ftproviders.runtime.deploy import Proposal
from ftproviders.runtime.poll import OnUpdate
from ftproviders.runtime.streaming import ChatStream
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.job import (
    JobEvent,
    JobRef,
    JobSnapshot,
    JobStatus,
    TunedModel,
)

__all__ = ["FineTuneJob"]


class FineTuneJob(JobReading):
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
    @override
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
    @override
    def submission_id(self) -> str | None:
        """Id of our submission, or None for a job that was made otherwise."""
        self._recall()
        return self._submission_id

    @property
    @override
    def attempt(self) -> int | None:
        """Which attempt of the submission this is, from 1."""
        self._recall()
        return self._attempt

    @override
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

    def cancel(self) -> JobSnapshot:
        """Ask the provider to cancel; a job that has ended stays as it is."""
        return self._change("cancel")

    def pause(self) -> JobSnapshot:
        """Ask the provider to pause; a job that is paused stays as it is.

        Raises:
            JobError: It has ended.
        """
        return self._change("pause")

    def resume(self) -> JobSnapshot:
        """Continue a paused job; one that is under way stays as it is.

        Raises:
            JobError: It has ended.
        """
        return self._change("resume")

    def chat(
        self,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        checkpoint: str | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> ChatReply:
        """Ask the tuned model.

        Args:
            messages: The prompt, or a whole conversation.
            system: System message to put in front; use the one of the training rows.
            temperature: Sampling temperature; None = the provider's default.
            max_tokens: Most tokens of the answer; None = the provider's default.
            checkpoint: Id of a checkpoint to ask instead of the final model.
            on_progress: Told in words what the answer waits for, when that takes long.

        Raises:
            JobError: The model is not ready yet.
            ConfigurationError: There is no such checkpoint.
        """
        model = self._ready_model("chat") if checkpoint is None else self._checkpoint(checkpoint)
        return chat_with.chat(
            self._session,
            self.ref.provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
            on_progress=on_progress,
        )

    def chat_stream(
        self,
        messages: str | Sequence[ChatMessage | Mapping[str, Any]],
        *,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        checkpoint: str | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> ChatStream:
        """Ask the tuned model and read its answer as it comes; arguments and errors as in `chat`.

        Returns:
            Pieces of text, and the whole answer as ``reply`` in the end.
        """
        model = self._ready_model("chat") if checkpoint is None else self._checkpoint(checkpoint)
        return chat_with.stream(
            self._session,
            self.ref.provider,
            model,
            chat_with.conversation(messages, system=system),
            temperature=temperature,
            max_tokens=max_tokens,
            on_progress=on_progress,
        )

    def deploy(
        self,
        *,
        provider: str | None = None,
        name: str | None = None,
        ttl: str | timedelta | None = None,
        checkpoint: str | None = None,
        options: Mapping[str, Any] | None = None,
        agree: Callable[[Proposal], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> Deployment:
        """Return the deployment of the tuned model, creating it if it is not there yet.

        Calling it again returns the same deployment. It does not wait: see
        `Deployment.wait_ready`, or use the result as a context manager.

        Args:
            provider: Host; None = where the job runs.
            name: Its name at the host; None = one that follows from job and checkpoint.
            ttl: How long it may live before `reap` deletes it, for instance ``2h``; None = no end.
            checkpoint: Id of a checkpoint to deploy instead of the final model.
            options: What the host alone has.
            agree: Given what is about to be made, before anything is sent; raises to stop.
            on_progress: Told in words what is being done.

        Raises:
            JobError: The model is not ready yet.
            ConfigurationError: There is no such checkpoint or host, or it does not take the model.
            ConflictError: The name belongs to something that is not ours or serves another model.
            DeploymentFailedError: It is there and has failed.
            OutcomeUnknownError: The request was sent and nobody can say what came of it.
        """
        model = self._ready_model("deploy") if checkpoint is None else self._checkpoint(checkpoint)
        job = self.snapshot.ref
        made = once.deploy(
            self._session,
            model,
            name=name or hosts.default_name(model, job=job, checkpoint=checkpoint),
            provider=provider,
            ttl=ttl,
            options=options,
            agree=agree,
            on_progress=on_progress,
        )
        seen = made.snapshot
        return Deployment(self._session, seen.ref, snapshot=seen, created=made.created)

    def delete_model(self) -> TunedModel:
        """Delete the tuned model at the provider, for good; return what was deleted.

        Raises:
            JobError: There is no model yet.
            UnsupportedFeatureError: The provider does not delete models.
            ConflictError: A deployment serves it.
            NotFoundError: It is gone already.
        """
        model = self._ready_model("delete_model")
        self._session.adapter_for(self.ref)  # of this account, or refused
        models.delete_model(self._session, self.ref.provider, model.name, ref=self.ref)
        return model

    def _checkpoint(self, wanted: str) -> TunedModel:
        found = self.checkpoints()
        for one in found:
            if one.id == wanted:
                return one.model
        names = ", ".join(one.id for one in found)
        raise ConfigurationError(
            f"{self.ref} has no checkpoint {wanted!r}.",
            provider=self.ref.provider,
            operation="deploy",
            hint=f"It has: {names}." if names else "It has none (yet).",
            ref=self.ref,
        )

    def export(
        self,
        folder: str | Path,
        *,
        format: ExportFormat | str = ExportFormat.ADAPTER,  # noqa: A002 - the users' word
        checkpoint: str | None = None,
        weights: str | None = None,
    ) -> ExportedModel:
        """Write the tuned model to files, and check that they answer as it does.

        Args:
            folder: Where to write; absent or empty. It appears whole or not at all.
            format: ``adapter``, ``merged`` or ``gguf``.
            checkpoint: Id of a checkpoint to write instead of the final model.
            weights: Number format of the weights: ``bf16`` or ``fp32`` for ``merged``; ``bf16``,
                ``f16`` or ``q8_0`` for ``gguf``; None = the one nearest to how it was trained.

        Raises:
            JobError: The model is not ready yet.
            ConfigurationError: The folder is taken, or the form cannot be had of this model.
            UnsupportedFeatureError: The provider does not hand out its models.
            UnexpectedResponseError: What was written answers otherwise; nothing was kept.
        """
        # Resolved, so that what is told holds no "..".
        target = Path(folder).expanduser().resolve()
        form = exporting.check_wish(format, folder=target, weights=weights)
        if checkpoint is not None:
            model = exporting.checkpoint_model(self._session, self.ref, checkpoint)
        else:
            model = self._ready_model("export")
        return exporting.export(
            self._session,
            self.ref,
            model,
            folder=target,
            form=form,
            weights=weights,
        )

    def _ready_model(self, operation: str) -> TunedModel:
        if (model := self.model) is not None:
            return model
        raise JobError(
            f"{self.ref} has no model: it is {self.status.value}.",
            snapshot=self.snapshot,
            operation=operation,
            hint=self._how_to_a_model(),
        )

    def _how_to_a_model(self) -> str:
        if self.status in (JobStatus.FAILED, JobStatus.CANCELLED):
            return "It will never have one; submit with --again for a new attempt."
        if self.status is JobStatus.PAUSED:
            return poll.how_to_go_on(self.snapshot)
        return f"Wait for it: ftproviders watch {self.ref}"

    def acknowledge(self) -> None:
        """Write down that the user has seen the ref; `submit --again` builds on it."""
        if self.submission_id is not None:
            self._session.journal.shown(self.submission_id, at=self._session.clock.now())

    def _change(self, operation: str) -> JobSnapshot:
        adapter = self._session.adapter_for(self.ref)
        act: Callable[[JobRef], JobSnapshot] = getattr(adapter, operation)
        if self.refresh().status.terminal:
            return self._ended(operation)
        try:
            self._snapshot = self._session.call(
                adapter, operation, lambda: act(self.ref), ref=self.ref
            )
        except ProviderError:
            # It may stand as wanted all the same: the answer was lost, or it did so before.
            after = self.refresh()
            if after.status.terminal:
                return self._ended(operation)
            if _stands(after, operation):
                return after
            raise
        self._session.remember(adapter, self._snapshot)
        return self._snapshot

    def _ended(self, operation: str) -> JobSnapshot:
        seen = self.snapshot
        if operation == "cancel":
            return seen
        raise JobError(
            f"{self.ref} has ended: it is {seen.status.value}, so there is nothing to {operation}.",
            snapshot=seen,
            operation=operation,
            hint=f"Its tuned model: ftproviders model {self.ref}"
            if seen.status is JobStatus.SUCCEEDED
            else "To train once more, submit again with --again.",
        )

    def _recall(self) -> None:
        if self._submission_id is not None:
            return
        record = self._session.journal.job(self.ref)
        if record is not None and record.submission_id is not None:
            self._submission_id, self._attempt = record.submission_id, record.attempt
        elif self._snapshot is not None:
            self._submission_id = self._snapshot.submission_id


def _stands(seen: JobSnapshot, operation: str) -> bool:
    """Say whether a job that has not ended stands as an operation would leave it."""
    if operation == "cancel":
        return seen.status is JobStatus.CANCELLING
    if operation == "pause":
        return seen.status is JobStatus.PAUSED
    moving = (JobStatus.PENDING, JobStatus.VALIDATING, JobStatus.QUEUED, JobStatus.RUNNING)
    return seen.status in moving
