"""Break a submission at every request, in every way; count what was lost or made twice.

Run with ``make chaos`` (or ``python -m tests.chaos``). One point = one request of a clean run x one
fault. At each point a process of its own runs the command line (``submit JOB --wait``), meets the
fault - a real SIGKILL of itself among them - and the same command is run again until it succeeds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos.points import FAULTS, LAG_POINTS, Outcome, clean_requests, run_lag, run_point

_MOST_RESUMES = 3


def main() -> int:
    """Run every point, print the table, return 0 only when every bar is met."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--workers", type=int, default=4, help="points at once")
    parser.add_argument("--verbose", action="store_true", help="print every point")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ftproviders-chaos-") as folder:
        root = Path(folder)
        requests = clean_requests(root / "clean")
        work = [(n, op, fault) for n, op in enumerate(requests, start=1) for fault in FAULTS]
        with ThreadPoolExecutor(given.workers) as pool:
            plain = [
                pool.submit(run_point, root / f"{n}-{fault.name}", n, op, fault)
                for n, op, fault in work
            ]
            lagging = [pool.submit(run_lag, root / point.name, point) for point in LAG_POINTS]
            outcomes = [job.result() for job in (*plain, *lagging)]
    return _report(requests, outcomes, len(work), verbose=given.verbose)


def _report(requests: list[str], outcomes: list[Outcome], points: int, *, verbose: bool) -> int:
    if verbose:
        for outcome in outcomes:
            print(outcome)
    failures = [f"{o.name}: {problem}" for o in outcomes for problem in o.problems]
    most = max(o.resumes for o in outcomes)
    rows = {
        "requests in a clean run (R)": f"{len(requests)}  ({', '.join(requests)})",
        "faults (F)": f"{len(FAULTS)}  ({', '.join(fault.name for fault in FAULTS)})",
        "points (R x F)": points,
        "points with a lagging list": len(LAG_POINTS),
        "points reached": sum(o.fired for o in outcomes),
        "duplicates": sum(o.duplicates for o in outcomes),
        "lost jobs": sum(o.lost for o in outcomes),
        "stray uploads": sum(o.stray_uploads for o in outcomes),
        "unknown outcomes told": sum(o.unknown for o in outcomes),
        "resumes needed": f"{sum(o.resumes for o in outcomes)} in all, {most} at most",
    }
    for name, value in rows.items():
        print(f"{name:30} {value}")
    if most > _MOST_RESUMES:
        failures.append(f"a point needed {most} resumes; the bar is {_MOST_RESUMES}")
    for failure in failures:
        print(f"FAILED {failure}")
    print("chaos: " + ("failed" if failures else "passed"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
