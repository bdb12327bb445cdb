"""Break a submission at every request, in every way; count what was lost or made twice.

Run with ``make chaos`` (or ``python -m tests.chaos``). One point = one request of a clean run x one
fault. At each point processes of their own run the command line - ``submit JOB --wait``, and where
the world has it a second submission that is cancelled -, meet the fault - a real SIGKILL of their
own among them - and the same command is run again until it succeeds. Where models are deployed, the
way goes on with ``deploy --wait``, ``chat`` and ``undeploy``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.chaos.azure_world import AzureWorld
from tests.chaos.openai_world import OpenAIWorld
from tests.chaos.points import Outcome, clean_requests, run_lag, run_point
from tests.chaos.worlds import MemoryWorld, World, close_launchers

_MOST_RESUMES = 3
_TOLD_EVERY = 50
_KINDS: tuple[type[World], ...] = (MemoryWorld, OpenAIWorld, AzureWorld)
_WORLDS: dict[str, type[World]] = {world.name: world for world in _KINDS}


def main() -> int:
    """Run every point, print the tables, return 0 only when every bar is met."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--workers", type=int, default=4, help="points at once")
    parser.add_argument("--verbose", action="store_true", help="print every point")
    parser.add_argument("--world", choices=sorted(_WORLDS), action="append", help="default: all")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="of the points, only each Nth"
    )
    parser.add_argument(
        "--start", type=int, default=0, metavar="K", help="the first of them: 0 to N - 1"
    )
    given = parser.parse_args()
    failed = 0
    try:
        for name in given.world or _WORLDS:
            failed += _break(_WORLDS[name], given)
    finally:
        close_launchers()
    print("chaos: " + ("failed" if failed else "passed"))
    return 1 if failed else 0


def _break(kind: type[World], given: argparse.Namespace) -> int:
    """Run the points of one world; return how many bars were missed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ftproviders-chaos-") as folder:
        root = Path(folder)
        requests = clean_requests(kind, root / "clean")
        work = [(n, op, fault) for n, op in enumerate(requests, start=1) for fault in kind.faults]
        # A step that is no divisor of the faults' number goes through all of them in turn.
        chosen = work[given.start :: given.every]
        lags = kind.lags[given.start :: given.every]
        with ThreadPoolExecutor(given.workers) as pool:
            plain = [
                pool.submit(run_point, kind, root / f"{n}-{fault.name}", n, op, fault)
                for n, op, fault in chosen
            ]
            lagging = [pool.submit(run_lag, kind, root / point.name, point) for point in lags]
            outcomes = []
            for job in as_completed((*plain, *lagging)):
                outcomes.append(job.result())
                _tell(kind, outcomes, len(plain) + len(lagging))
    seconds = time.monotonic() - began
    return _report(kind, requests, outcomes, len(work), seconds, verbose=given.verbose)


def _tell(kind: type[World], outcomes: Sequence[Outcome], total: int) -> None:
    """Say how far it is, and what went wrong, as it comes: a full run takes its time."""
    last = outcomes[-1]
    for problem in last.problems:
        print(f"{last.name}: {problem}", file=sys.stderr)
    if len(outcomes) % _TOLD_EVERY == 0:
        print(f"{kind.name}: {len(outcomes)} of {total} points", file=sys.stderr, flush=True)


def _report(
    kind: type[World],
    requests: Sequence[str],
    outcomes: Sequence[Outcome],
    points: int,
    seconds: float,
    *,
    verbose: bool,
) -> int:
    if verbose:
        for outcome in outcomes:
            print(outcome)
    failures = [f"{o.name}: {problem}" for o in outcomes for problem in o.problems]
    most = max(o.resumes for o in outcomes)
    rows = {
        "world": f"{kind.name}, {seconds:.0f} s",
        "requests in a clean run (R)": f"{len(requests)}  ({', '.join(requests)})",
        "faults (F)": f"{len(kind.faults)}  ({', '.join(fault.name for fault in kind.faults)})",
        "points (R x F)": points,
        "points with a lagging list": len(kind.lags),
        "points run": len(outcomes),
        "points reached": sum(o.fired for o in outcomes),
        "duplicates": sum(o.duplicates for o in outcomes),
        "lost jobs": sum(o.lost for o in outcomes),
        "stray uploads": sum(o.stray_uploads for o in outcomes),
        "orphaned deployments": sum(o.orphans for o in outcomes),
        "leaked keys": sum(o.leaked_keys for o in outcomes),
        "unknown outcomes told": sum(o.unknown for o in outcomes),
        "resumes needed": f"{sum(o.resumes for o in outcomes)} in all, {most} at most",
    }
    for name, value in rows.items():
        print(f"{name:30} {value}")
    if most > _MOST_RESUMES:
        failures.append(f"a point needed {most} resumes; the bar is {_MOST_RESUMES}")
    for failure in failures:
        print(f"FAILED {failure}")
    print(flush=True)
    return len(failures)


if __name__ == "__main__":
    sys.exit(main())
