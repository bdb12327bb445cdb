"""JobReading: what can be read of a job, and a page that tells it. The base of `FineTuneJob`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ftproviders.client.numbers import last_values
from ftproviders.client.reporting import Asking, write_report
from ftproviders.runtime import Session, poll
from ftproviders.runtime.source import known_spec
from ftproviders.schema.job import (
    Checkpoint,
    JobEvent,
    JobRef,
    JobSnapshot,
    JobSpec,
)

__all__ = ["JobReading"]


class JobReading(ABC):
    """Events, numbers, checkpoints and the report of one job."""

    _session: Session
    ref: JobRef

    @property
    @abstractmethod
    def snapshot(self) -> JobSnapshot:
        """The job as it was last seen; read once on first use."""

    @property
    @abstractmethod
    def submission_id(self) -> str | None:
        """Id of our submission, or None for a job that was made otherwise."""

    @property
    @abstractmethod
    def attempt(self) -> int | None:
        """Which attempt of the submission this is, from 1."""

    @abstractmethod
    def refresh(self) -> JobSnapshot:
        """Read the job now."""

    @property
    def account(self) -> str:
        """The full account string."""
        return self._session.adapter_for(self.ref).account()

    @property
    def spec(self) -> JobSpec | None:
        """What was asked for, out of the journal or as the provider tells it; None = not known."""
        return known_spec(self._session, self.snapshot, self.submission_id)

    def needs_consent(self) -> bool:
        """Say whether changing this job may cost money."""
        return not self._session.adapter_for(self.ref).free()

    def events(self, *, after: str | None = None) -> Sequence[JobEvent]:
        """Return the job's events, oldest first.

        Args:
            after: Id of an event; only later ones are returned.

        Raises:
            UnsupportedFeatureError: The provider has no events.
        """
        adapter = self._session.adapter_for(self.ref)
        return self._session.call(
            adapter, "events", lambda: adapter.events(self.ref, after=after), ref=self.ref
        )

    def follow(self) -> Iterator[JobEvent]:
        """Yield events as they come, oldest first, until the job has ended or is paused."""
        cursor: str | None = None
        started = self._session.clock.monotonic()
        while True:
            snapshot = self.refresh()
            for event in self.events(after=cursor):
                cursor = event.id
                yield event
            if snapshot.at_rest:
                return
            elapsed = self._session.clock.monotonic() - started
            adapter = self._session.adapter_for(self.ref)
            self._session.clock.sleep(poll.pause_seconds(self._session, adapter, elapsed))

    def metrics(self) -> Sequence[JobEvent]:
        """Return the events that carry numbers, in the order of steps.

        Numbers of events and of the provider's result files make one series. A resumed job does
        some steps again: the last value of a step counts, once.
        """
        return self.merged_metrics(self.events())

    def merged_metrics(self, events: Sequence[JobEvent]) -> Sequence[JobEvent]:
        """Return the numbers in `events` together with those that stand elsewhere."""
        adapter = self._session.adapter_for(self.ref)
        more = self._session.call(
            adapter, "metrics", lambda: adapter.result_metrics(self.ref), ref=self.ref
        )
        return last_values([*events, *more])

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return the checkpoints, oldest first."""
        adapter = self._session.adapter_for(self.ref)
        return self._session.call(
            adapter, "checkpoints", lambda: adapter.checkpoints(self.ref), ref=self.ref
        )

    def report(
        self,
        path: str | Path,
        *,
        questions: str | Path | None = None,
        rows: int | None = None,
        max_tokens: int = 120,
        overwrite: bool = False,
        on_progress: Callable[[str], None] | None = None,
    ) -> Path:
        """Write a self-contained HTML page about the job; return its path.

        Args:
            path: The file to write.
            questions: Chat JSONL whose rows base and tuned model are asked. Default: the first
                rows of the validation file, where it is still there and asking costs nothing.
            rows: How many rows to ask; 0 = ask nobody. Default: 3, or 20 of `questions`.
            max_tokens: Most tokens of an answer.
            overwrite: Whether the file may be there already.
            on_progress: Told in words what is being done, and what cannot be.

        Raises:
            ConfigurationError: The page cannot be written there.
            DatasetError: The questions cannot be read.
        """
        asked = None if questions is None else Path(questions)
        asking = Asking(questions=asked, rows=rows, max_tokens=max_tokens)
        tell = on_progress or (lambda _text: None)
        write_report(
            self._session, self, Path(path), asking=asking, overwrite=overwrite, on_progress=tell
        )
        return Path(path)
