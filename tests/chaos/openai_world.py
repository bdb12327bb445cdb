"""Chaos over the emulator of OpenAI's API: the real SDK, real connections, upload to cancel."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from ftproviders.testing import FakeClock
from ftproviders.testing.openai import Behaviour, OpenAIEmulator, WireFault
from tests.chaos.worlds import LagPoint, PlannedFault, World, lag_points

__all__ = ["OpenAIWorld"]

_MODEL, _OTHER_MODEL = "gpt-4.1-mini-2025-04-14", "gpt-4o-mini-2024-07-18"
_BRIEF = Behaviour(validating_seconds=2, queued_seconds=2, running_seconds=3)
_ENDLESS_SECONDS = 1_000_000.0
_TIMEOUT_SECONDS = 4.0


class OpenAIWorld(World):
    """A job is submitted and waited for; then another is submitted, and cancelled.

    Its clock moves one second with every request, so that each run asks the same requests in the
    same order. Where lists lag, it is the system's clock, and the lag is passed by moving it.
    """

    name = "openai"
    job_file = (
        f"provider: openai\nbase_model: {_MODEL}\ntraining_file: train.jsonl\n"
        "hyperparameters: {n_epochs: 2}\n"
    )
    expected_jobs = 2
    secret = "sk-chaos-5f0c1e7a9b3d4c2e8f6a"
    faults = (
        PlannedFault("kill-before", "kill"),
        PlannedFault("kill-after", "kill", "after"),
        PlannedFault("429-before", "rate_limit"),
        PlannedFault("500-before", "server_error"),
        PlannedFault("503-before", "unavailable"),
        PlannedFault("408-before", "request_timeout"),
        PlannedFault("502-html-before", "bad_gateway"),
        PlannedFault("reset-before", "reset"),
        PlannedFault("timeout-before", "timeout"),
        PlannedFault("500-after", "server_error", "after"),
        PlannedFault("reset-after", "reset", "after"),
        PlannedFault("timeout-after", "timeout", "after"),
        PlannedFault("truncated-after", "truncated", "after"),
        PlannedFault("malformed-after", "malformed", "after"),
        PlannedFault("empty-after", "empty", "after"),
        PlannedFault("unknown-status", "unknown_status"),
        PlannedFault("unknown-fields", "unknown_fields"),
        PlannedFault("nulls", "nulls"),
        PlannedFault("stale", "stale"),
        PlannedFault("clock-skew", "clock_skew"),
    )
    lags = lag_points(
        "kill", "reset", "timeout", "server_error", "truncated", "empty", short=0.2, long=3600.0
    )

    def __init__(self, folder: Path, *, lagging: bool = False) -> None:
        super().__init__(folder, lagging=lagging)
        (folder / "other.yaml").write_text(self.job_file.replace(_MODEL, _OTHER_MODEL))
        self.server = OpenAIEmulator(
            folder / "server",
            clock=None if lagging else FakeClock(datetime.now(UTC)),
            tick_seconds=0.0 if lagging else 1.0,
            api_key=self.secret,
            behaviour=replace(_BRIEF, page_size=100),
        )
        self.server.on_kill = self._kill
        self.server.start()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    @override
    def steps(self) -> int:
        return 3

    @override
    def step(self, number: int) -> int:
        if number == 0:
            return self.submit()
        # The job to be cancelled must not end by itself, however often it is asked about.
        self.server.behaviour = replace(_BRIEF, running_seconds=_ENDLESS_SECONDS)
        if number == 1:
            return self.run("submit", "other.yaml", "--yes")
        return self.run("cancel", self._other_job(), "--yes")

    def _other_job(self) -> str:
        """Return the job that our own journal knows, by its model."""
        for record in self.journal_records():
            if record.base_model == _OTHER_MODEL and record.ref is not None:
                return str(record.ref)
        raise LookupError("the journal does not know the second job")

    @override
    def inject(self, planned: PlannedFault, *, nth: int) -> None:
        seconds = -7200.0 if planned.kind == "clock_skew" else 0.0
        self.server.faults.inject(
            WireFault("*", kind=planned.kind, when=planned.when, nth=nth, seconds=seconds)
        )

    @override
    def inject_lag(self, point: LagPoint) -> None:
        create = "createFineTuningJob"
        self.server.faults.inject(
            WireFault(create, kind="list_lag", seconds=point.lag_seconds),
            WireFault(create, kind=point.kind, when="after"),
        )

    @override
    def operations(self) -> list[str]:
        return [request.operation or request.path for request in self.server.requests]

    @override
    def firings(self) -> int:
        return len(self.server.faults.firings)

    @override
    def job_ids(self) -> list[str]:
        return [job["id"] for job in self.server.jobs()]

    @override
    def stray_uploads(self) -> int:
        ours = [file for file in self.server.files() if file["purpose"] == "fine-tune"]
        return max(len(ours) - 1, 0)

    @override
    def pass_the_lag(self, seconds: float) -> None:
        self.server.advance(seconds)

    @override
    def settings(self) -> dict[str, str]:
        return {
            "OPENAI_BASE_URL": self.server.base_url,
            "OPENAI_API_KEY": self.secret,
            "FTPROVIDERS_OPENAI_TIMEOUT_SECONDS": str(_TIMEOUT_SECONDS),
        }

    @override
    def close(self) -> None:
        self.server.close()
