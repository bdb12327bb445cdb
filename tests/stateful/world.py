"""One account at the emulated service, and one machine of ours that uses it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx2
from typing_extensions import override

from ftproviders.client import FineTuneClient
from ftproviders.errors import FineTuneError, OutcomeUnknownError
from ftproviders.journal import SubmissionRow
from ftproviders.planning import submission_id
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobSpec
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai import Behaviour, OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from tests.stateful.process import Died, Process
from tests.stateful.weather import Weather

MODEL = "gpt-4.1-mini-2025-04-14"
MARK = "ftproviders_submission"
MOST_ATTEMPTS = 30
SUBMISSIONS = 2
"""Different submissions of the same file: they differ in their seed."""


class SharedNetwork(httpx2.BaseTransport):
    """Connections for every run of a test: making them anew costs more than a run."""

    def __init__(self) -> None:
        self._real = httpx2.HTTPTransport(verify=False, trust_env=False)

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._real.handle_request(request)

    def really_close(self) -> None:
        self._real.close()


class World:
    """The service and the machine; nothing in here sleeps.

    Args:
        network: Connections of all processes.
        tally: Counts what happened.
        **behaviour: Habits of the service.
    """

    def __init__(self, network: SharedNetwork, tally: Counter[str], **behaviour: Any) -> None:
        self.tally = tally
        self._network = network
        self._folder = tempfile.TemporaryDirectory(prefix="ftproviders-stateful-")
        self.home = Path(self._folder.name) / "home"
        self.clock = FakeClock()
        self.server = OpenAIEmulator(
            clock=self.clock, behaviour=Behaviour(running_seconds=600.0, **behaviour)
        ).start()
        file = Path(self._folder.name) / "train.jsonl"
        file.write_text(training_rows(Method.SUPERVISED))
        self.specs = [
            JobSpec(
                provider="openai",
                base_model=MODEL,
                training_file=str(file),
                hyperparameters=Hyperparameters(n_epochs=2),
                seed=number,
            )
            for number in range(SUBMISSIONS)
        ]
        self._process: Process | None = None
        plans = [self.process.client.plan(spec) for spec in self.specs]
        self.series = [plan.submission_id for plan in plans]
        self.attempts = [
            [submission_id(plan.identity, attempt=number) for number in range(1, MOST_ATTEMPTS)]
            for plan in plans
        ]

    # --- our machine -------------------------------------------------------------------------

    @property
    def process(self) -> Process:
        """The process of ours that runs; a new one where there is none."""
        if self._process is None:
            self._process = Process(
                self.home,
                self.server,
                clock=self.clock,
                network=self._network,
                tally=self.tally,
            )
        return self._process

    def end_process(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def command(
        self, name: str, weather: Weather, act: Callable[[FineTuneClient], Any]
    ) -> tuple[Any, FineTuneError | None]:
        """Run one command in its weather; return what it gave, or how it failed.

        Whatever is neither an error of ours nor the death of the process is a fault of ours.
        """
        self.tally[name] += 1
        process = self.process
        fired = len(self.server.faults.firings)
        self.server.faults.inject(*weather.faults)
        process.expect(weather.breakdown)
        try:
            return act(process.client), None
        except Died:
            self.tally["crashes"] += 1
            self.end_process()
            return None, None
        except FineTuneError as error:
            self.tally[type(error).__name__] += 1
            self._check_words(error)
            return None, error
        finally:
            process.expect(None)
            self.server.faults.clear()
            for firing in self.server.faults.firings[fired:]:
                self.tally[f"fault: {firing.fault.kind.value} {firing.fault.when}"] += 1

    def _check_words(self, error: FineTuneError) -> None:
        if isinstance(error, OutcomeUnknownError):
            assert "ftproviders reconcile" in error.hint
            assert error.submission_id in self.unresolved(), "told, but not written down"

    def lose_journal(self) -> None:
        """Delete the journal while no process of ours runs."""
        self.end_process()
        for file in self.home.glob("journal.db*"):
            file.unlink()

    def journaled(self) -> set[str]:
        """Return the ids of the jobs that the journal knows."""
        return {record.ref.id for record in self.process.client.jobs() if record.ref is not None}

    def unresolved(self) -> set[str]:
        """Return the submissions of which the journal says that they may have a job."""
        return {row.submission_id for row in self.process.journal.unresolved()}

    def newest(self, number: int) -> SubmissionRow | None:
        rows: Sequence[SubmissionRow] = self.process.journal.attempts(self.series[number])
        return rows[-1] if rows else None

    # --- the truth ---------------------------------------------------------------------------

    def jobs(self) -> list[dict[str, Any]]:
        """Return the service's own records of our jobs, oldest first."""
        with self.server.store.transaction() as state:
            return [job for job in state.all("job") if marked(job) is not None]

    def jobs_of(self, submission_id: str) -> list[dict[str, Any]]:
        return [job for job in self.jobs() if marked(job) == submission_id]

    def hidden(self, jobs: Iterable[dict[str, Any]]) -> float:
        """Return for how many seconds more a list of the service lacks one of these jobs."""
        now = self.clock.now().timestamp()
        return max((job["hidden_until"] - now for job in jobs), default=0.0)

    def colleague(self) -> bool:
        """Let somebody else tune the same model with the same file, without any mark."""
        files = [file for file in self.server.files() if file["purpose"] == "fine-tune"]
        if not files:
            return False
        answer = httpx2.Client(transport=self._network).post(
            f"{self.server.base_url}/fine_tuning/jobs",
            json={"model": MODEL, "training_file": files[0]["id"]},
            headers={"Authorization": f"Bearer {self.server.api_key}"},
        )
        return answer.status_code == httpx2.codes.OK

    def close(self) -> None:
        self.end_process()
        self.server.close()
        self._folder.cleanup()


def marked(job: dict[str, Any]) -> str | None:
    """Return the submission that asked for a job, also where the service dropped the mark."""
    mark: str | None = (job["body"].get("metadata") or {}).get(MARK)
    return mark


def dropped(job: dict[str, Any]) -> bool:
    return job["metadata"] is None
