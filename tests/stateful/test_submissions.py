"""Runs of submit, crash, poll, cancel and resume under faults, over the real SDK.

Nothing sleeps: the service's clock and ours are one that is moved by hand. The runs are the same
everywhere, so what CI finds is found again here. The counts printed at the end say what they met.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ftproviders import registry
from tests.stateful.machine import Hasty, Submissions
from tests.stateful.world import SharedNetwork

ALL_RUNS = 500
RUNS = int(os.environ.get("FTPROVIDERS_TEST_STATEFUL_RUNS", "60"))
"""With `ALL_RUNS` it is asserted too that all of `MET` happened: a quarter of an hour."""
HASTY_RUNS = RUNS // 5
STEPS = 12
MET = (
    "crashes", "kill before", "kill after", "timeout before", "timeout after", "disk full before",
    "OutcomeUnknownError", "JournalError", "user waits", "journals lost", "jobs of colleagues",
    "jobs made", "jobs made, answer lost for good", "jobs found again", "adopted by reconcile",
    "imported by reconcile", "adopted after the journal was lost", "reported as look-alikes",
    "cancel", "pause", "resume", "status", "events", "watch", "decide",
    "fault: list_lag before", "fault: drop_metadata before", "fault: lying_filter before",
    "fault: reset before", "fault: reset after", "fault: server_error after",
    "fault: truncated after", "fault: malformed after", "fault: empty after",
    "fault: rate_limit before", "fault: unknown_status before", "fault: clock_skew before",
)  # fmt: skip
"""What must have happened, for the runs to say anything."""


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    # Only this provider is known; and what is installed is not looked up thousands of times.
    monkeypatch.setattr(registry, "names", lambda: ["openai"])
    monkeypatch.setattr(registry, "_entry_points", list)
    Submissions.tally, Submissions.network = Counter(), SharedNetwork()
    yield Submissions.tally
    Submissions.network.really_close()


def like_this(runs: int) -> settings:
    return settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def tell(tally: Counter[str]) -> None:
    print(*(f"{count:7} {what}" for what, count in sorted(tally.items())), sep="\n")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # some minutes, and machines of CI are slow
def test_a_submission_has_one_job_and_no_job_is_lost(tally: Counter[str]) -> None:
    run_state_machine_as_test(Submissions, settings=like_this(RUNS))
    tell(tally)
    assert tally["runs"] >= RUNS
    if RUNS >= ALL_RUNS:
        assert not [what for what in MET if not tally[what]], "the runs did not meet these"


@pytest.mark.slow
@pytest.mark.timeout(1800)  # as above
def test_two_jobs_come_only_of_sending_past_a_list_that_lags(tally: Counter[str]) -> None:
    run_state_machine_as_test(Hasty, settings=like_this(HASTY_RUNS))
    tell(tally)
    assert tally["runs"] >= HASTY_RUNS
    if RUNS >= ALL_RUNS:
        assert tally["sent past a lag"]
        assert tally["most duplicates in a run"], "the documented exception did not happen"
