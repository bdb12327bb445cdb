"""One point of chaos: a fault at one request, then the same command until it succeeds."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.worlds import LagPoint, PlannedFault, World

__all__ = ["Outcome", "clean_requests", "run_lag", "run_point"]

_MOST_RUNS = 6
_UNKNOWN_OUTCOME = 4


@dataclass
class Outcome:
    """What one point came to."""

    name: str
    fired: bool = False
    resumes: int = 0
    unknown: int = 0
    duplicates: int = 0
    lost: int = 0
    stray_uploads: int = 0
    orphans: int = 0
    leaked_keys: int = 0
    codes: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def clean_requests(kind: type[World], folder: Path) -> list[str]:
    """Go the whole way once without faults; return the requests that it takes, in order."""
    with contextlib.closing(kind(folder)) as world:
        for number in range(world.steps()):
            code = world.step(number)
            if code != 0:
                raise SystemExit(f"step {number + 1} of the clean run: {code}: {world.last_words}")
        return world.operations()


def run_point(
    kind: type[World], folder: Path, number: int, operation: str, planned: PlannedFault
) -> Outcome:
    """Let request `number` of the way meet a fault; repeat each command until it succeeds."""
    outcome = Outcome(f"request {number} ({operation}) x {planned.name}")
    with contextlib.closing(kind(folder)) as world:
        world.inject(planned, nth=number)
        for step in range(world.steps()):
            if not _insist(outcome, world, step):
                break
        _judge(outcome, world, expected_jobs=world.expected_jobs)
    return outcome


def _insist(outcome: Outcome, world: World, step: int) -> bool:
    """Run a command until it succeeds; False when it never does."""
    for _ in range(_MOST_RUNS):
        code = world.step(step)
        outcome.codes.append(code)
        if code == 0:
            return True
        outcome.unknown += code == _UNKNOWN_OUTCOME
        outcome.resumes += 1
    outcome.problems.append(f"never succeeded: {outcome.codes} {world.last_words}")
    return False


def run_lag(kind: type[World], folder: Path, point: LagPoint) -> Outcome:
    """Lose the answer to create while the list lags, shorter or longer than the window."""
    outcome = Outcome(point.name)
    with contextlib.closing(kind(folder, lagging=True)) as world:
        world.inject_lag(point)
        outcome.codes.append(world.submit())
        if point.longer_than_the_window:
            _long_lag(outcome, world, point)
        else:
            while outcome.codes[-1] != 0 and outcome.resumes < _MOST_RUNS:
                outcome.resumes += 1
                outcome.codes.append(world.submit())
                outcome.unknown += outcome.codes[-1] == _UNKNOWN_OUTCOME
        _judge(outcome, world, expected_jobs=1)
    return outcome


def _long_lag(outcome: Outcome, world: World, point: LagPoint) -> None:
    """The outcome must be called unknown; only reconcile, later, may settle it."""
    if outcome.codes[-1] == -signal.SIGKILL:
        outcome.resumes += 1
        outcome.codes.append(world.submit())
    if outcome.codes[-1] != _UNKNOWN_OUTCOME:
        outcome.problems.append(f"exit {outcome.codes[-1]} instead of 4: {world.last_words}")
    outcome.unknown += 1
    world.pass_the_lag(point.lag_seconds)
    outcome.codes.append(world.run("reconcile"))
    outcome.resumes += 1
    outcome.codes.append(world.submit())
    if outcome.codes[-2:] != [0, 0]:
        outcome.problems.append(f"reconcile did not settle it: {outcome.codes} {world.last_words}")


def _judge(outcome: Outcome, world: World, *, expected_jobs: int) -> None:
    outcome.fired = world.firings() > 0
    if not outcome.fired:
        outcome.problems.append("the point was not reached: its fault did not fire")
    jobs = world.job_ids()
    known = {record.ref.id for record in world.journal_records() if record.ref is not None}
    outcome.duplicates = max(len(jobs) - expected_jobs, 0)
    outcome.lost = sum(job not in known for job in jobs) + max(expected_jobs - len(jobs), 0)
    outcome.stray_uploads = world.stray_uploads()
    outcome.orphans = world.orphans()
    outcome.leaked_keys = world.leaked_keys()
    for word in ("duplicates", "lost", "stray_uploads", "orphans", "leaked_keys"):
        if getattr(outcome, word):
            outcome.problems.append(f"{word}: {getattr(outcome, word)} ({outcome.codes})")
    if world.tracebacks:
        outcome.problems.append(f"{world.tracebacks} run(s) printed a traceback")
