"""Any order of commands, in any weather: what must hold after each of them, and at the end."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.errors import JobCancelledError, JobFailedError
from ftproviders.schema.job import JobSpec
from ftproviders.schema.submission import SubmissionState
from tests.stateful.weather import SETTLE_SECONDS, Weather, anything_else, submitting
from tests.stateful.world import SUBMISSIONS, SharedNetwork, World, dropped, marked

FAIR = Weather()
LONG_SECONDS = 10_000.0
"""Longer than every lag."""
_number = st.integers(0, SUBMISSIONS - 1)


class Submissions(RuleBasedStateMachine):
    """One user with one machine, who does what hints and documents say.

    After exit 4 they look at the provider's own page before they submit again, and where the job
    is there but not listed yet they wait: to send past a list that lags is the one documented way
    to two jobs, and has a machine of its own, `Hasty`.
    """

    network: ClassVar[SharedNetwork]
    tally: ClassVar[Counter[str]]
    world: World

    @initialize(
        page=st.sampled_from([2, 100]),
        lag=st.sampled_from([0.0, 0.0, 20.0, 200.0]),
        processing=st.sampled_from([0.0, 40.0]),
        lying=st.booleans(),
        weather=submitting,
    )
    def first_submit(
        self, page: int, lag: float, processing: float, lying: bool, weather: Weather
    ) -> None:
        self.world = World(
            self.network,
            self.tally,
            page_size=page,
            lag_seconds=lag,
            processing_seconds=processing,
            lying_filter=lying,
        )
        self.forgotten: set[str] = set()
        """Jobs that were in a journal which was deleted since."""
        self.given: dict[str, str] = {}
        """Submission -> the job that was returned for it."""
        self.excused: set[str] = set()
        """Submissions that were sent again against all advice."""
        self.tally["runs"] += 1
        self.submit_one(0, again=False, weather=weather)

    # --- commands ----------------------------------------------------------------------------

    @rule(number=_number, again=st.sampled_from([False, False, True]), weather=submitting)
    def submit(self, number: int, again: bool, weather: Weather) -> None:
        self.submit_one(number, again=again, weather=weather)

    def submit_one(self, number: int, *, again: bool, weather: Weather) -> None:
        late = self.sent_past_a_lag(number)
        if late is not None and not self.dares(late):
            self.tally["user waits"] += 1
            self.world.command("reconcile", FAIR, lambda client: client.reconcile())
            return
        spec = self.world.specs[number]
        before = self.world.jobs()
        job, error = self.world.command(
            "submit", weather, lambda client: client.submit(spec, again=again)
        )
        made = len(self.world.jobs()) - len(before)
        assert made in (0, 1), "one command, one job"
        self.tally["jobs made"] += made
        if job is not None:
            self.given_back(job, made=made)
        elif made and error is not None:
            self.tally["jobs made, answer lost for good"] += 1

    def given_back(self, job: FineTuneJob, *, made: int) -> None:
        sid = str(job.submission_id)
        assert job.ref.id in [one["id"] for one in self.world.jobs_of(sid)]
        if sid not in self.excused:
            assert self.given.setdefault(sid, job.ref.id) == job.ref.id, "another job than before"
        assert job.ref.id in self.world.journaled()
        assert job.reused or made
        self.tally["jobs returned"] += 1
        self.tally["jobs found again"] += job.reused
        if job.ref.id in self.forgotten:
            self.tally["adopted after the journal was lost"] += 1
            self.forgotten.discard(job.ref.id)

    def sent_past_a_lag(self, number: int) -> str | None:
        """Return the submission if the user was told «unknown» and its job is not listed yet."""
        row = self.world.newest(number)
        if row is None or row.state is not SubmissionState.UNKNOWN:
            return None
        hidden = self.world.hidden(self.world.jobs_of(row.submission_id))
        return row.submission_id if hidden > 0 else None

    def dares(self, submission_id: str) -> bool:
        """Say whether the user sends once more although the provider's own page shows the job."""
        return False

    @rule(weather=anything_else, place=st.integers(0, 9), act=st.sampled_from(
        ["status", "events", "watch", "cancel", "pause", "resume"]))  # fmt: skip
    def follow(self, weather: Weather, place: int, act: str) -> None:
        known = sorted(self.world.journaled())
        if not known:
            self.submit_one(0, again=False, weather=weather)
            return
        one = known[place % len(known)]
        self.world.command(act, weather, lambda client: _follow(client.job(one), act))

    @rule(weather=anything_else)
    def reconcile(self, weather: Weather) -> None:
        report, _ = self.world.command("reconcile", weather, lambda client: client.reconcile())
        if report is not None:
            self.tally["adopted by reconcile"] += sum(r.ref is not None for r in report.resolved)
            self.tally["imported by reconcile"] += len(report.imported)

    @rule(weather=anything_else)
    def decide(self, weather: Weather) -> None:
        """Settle what is open by hand, with the provider's own page before one's eyes."""
        open_ones = sorted(self.world.unresolved())
        if not open_ones:
            self.submit_one(1, again=False, weather=weather)
        for sid in open_ones:
            jobs = self.world.jobs_of(sid)
            self.world.command("decide", weather, partial(_decide, sid=sid, jobs=jobs))

    @rule()
    def restart(self) -> None:
        self.world.end_process()

    @rule(seconds=st.sampled_from([5.0, SETTLE_SECONDS, 300.0, LONG_SECONDS]))
    def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @precondition(lambda self: not any(map(dropped, self.world.jobs())))
    @rule()
    def lose_journal(self) -> None:
        """Lose the journal, and come back when the service lists what it has.

        That, and that it kept our mark, is what finding a job without a journal rests on.
        """
        self.world.clock.advance(max(self.world.hidden(self.world.jobs()), 0.0))
        self.forgotten |= {job["id"] for job in self.world.jobs()}
        self.world.lose_journal()
        self.tally["journals lost"] += 1

    @rule()
    def colleague(self) -> None:
        self.tally["jobs of colleagues"] += self.world.colleague()

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def a_submission_has_at_most_one_job(self) -> None:
        marks = Counter(map(marked, self.world.jobs()))
        twice = {mark for mark, count in marks.items() if count > 1}
        assert twice <= self.excused, f"two jobs for {twice - self.excused}"

    @invariant()
    def no_job_is_lost(self) -> None:
        known, open_ones = self.world.journaled(), self.world.unresolved()
        for job in self.world.jobs():
            if job["id"] in known or marked(job) in open_ones | self.excused:
                continue
            assert job["id"] in self.forgotten, f"{job['id']} is neither known nor reported"

    # --- the end -----------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if sys.exception() is None and hasattr(self, "world"):
                self.come_to_an_end()
        finally:
            if hasattr(self, "world"):
                self.world.close()

    def come_to_an_end(self) -> None:
        """In fair weather, when every list is complete: everything is known, nothing is new."""
        world = self.world
        world.end_process()
        world.clock.advance(LONG_SECONDS)
        report = world.process.client.reconcile()
        assert not report.problems
        self.tally["imported by reconcile"] += len(report.imported)
        self.tally["adopted by reconcile"] += sum(r.ref is not None for r in report.resolved)
        for open_one in report.unresolved:
            sid = str(open_one.record.submission_id)
            jobs = world.jobs_of(sid)
            similar = {job.ref.id for job in open_one.similar}
            assert {job["id"] for job in jobs} <= similar, "a job that is not reported"
            self.tally["reported as look-alikes"] += len(jobs)
            _decide(world.process.client, sid=sid, jobs=jobs)
        promised = [j for j in world.jobs() if not dropped(j) or marked(j) not in self.excused]
        assert {job["id"] for job in promised} <= world.journaled()
        self.no_submission_is_sent_twice()

    def no_submission_is_sent_twice(self) -> None:
        for number, spec in enumerate(self.world.specs):
            there = any(map(self.world.jobs_of, self.world.attempts[number]))
            before = [job["id"] for job in self.world.jobs()]
            given = _submitted(self.world.process.client, spec)
            assert len(self.world.jobs()) == len(before) + (not there)
            assert (given in before) == there
        self.a_submission_has_at_most_one_job()


class Hasty(Submissions):
    """A user who sends once more as soon as they may, whatever the provider's own page shows.

    Two jobs may come of that, and of nothing else; `reconcile` brings both into the journal.
    """

    def dares(self, submission_id: str) -> bool:
        self.tally["sent past a lag"] += submission_id not in self.excused
        self.excused.add(submission_id)
        return True

    @invariant()
    def duplicates_are_counted(self) -> None:
        extra = len(self.world.jobs()) - len({*map(marked, self.world.jobs())})
        self.tally["most duplicates in a run"] = max(extra, self.tally["most duplicates in a run"])


def _submitted(client: FineTuneClient, spec: JobSpec) -> str:
    """Return the id of the job that submit gives, or says to have ended badly."""
    try:
        return client.submit(spec).ref.id
    except (JobFailedError, JobCancelledError) as error:
        return error.snapshot.ref.id


def _follow(job: FineTuneJob, act: str) -> None:
    if act == "status":
        job.refresh()
    elif act == "events":
        list(job.events())
    elif act == "watch":
        job.wait(timeout_seconds=20.0)
    else:
        getattr(job, act)()


def _decide(client: FineTuneClient, *, sid: str, jobs: list[dict[str, Any]]) -> None:
    """Say which job a submission has, or that it has none."""
    if jobs:
        client.reconcile(adopt=f"openai:{_account(client)}{jobs[-1]['id']}", submission=sid)
    else:
        client.reconcile(assume_absent=True, submission=sid)


def _account(client: FineTuneClient) -> str:
    return f"{client._session.training('openai').public_account()}/"
