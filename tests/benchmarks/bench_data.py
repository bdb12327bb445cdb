"""What validation costs beside its peers: ``make bench-data``.

    python tests/benchmarks/bench_data.py [--gib 1 2] [--mib N] [--kinds ...] [--peers-python PATH]

Every reading is a process of its own, and the readings of one file follow each other in turns, so
that a busy minute meets all of them. Ratios are of the medians: of processor seconds, which other
work on the machine changes less than wall time, and of wall time for the two workers. The SHA-256
of the file, which is made for files that are sent and which no other reader makes, has a row of its
own. The absolute numbers stand beside the ratios. Peers run in an environment of their own, which
needs nothing of ours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.data.rows import KINDS, write_file  # noqa: E402 - found by the line above

OURS = ("ours", "ours, 2 workers", "ours, secrets", "ours, with the digest")
PEERS = ("cookbook checks", "together check_file", "datasets", "msgspec", "wc -l")
BARS: dict[tuple[str, str], float] = {
    ("ours", "cookbook checks"): 2.5,
    ("ours", "msgspec"): 0.5,
    ("ours, 2 workers", "ours"): 1.7,
}
LONG_ROW_BARS: dict[tuple[str, str], float] = {("ours", "together check_file"): 1.1}
MOST_MIB = 80.0
BAD_SHARE = 0.2
TOKENS_BAR = 2.0


@dataclass(frozen=True)
class Reading:
    """One peer's readings of one file."""

    seconds: list[float]
    cpu_seconds: list[float]
    peak_mib: float
    answer: Any

    @property
    def median(self) -> float:
        """Wall time in seconds."""
        return statistics.median(self.seconds)

    @property
    def cpu(self) -> float:
        """Processor time in seconds."""
        return statistics.median(self.cpu_seconds)

    def times_as_fast_as(self, other: Reading, *, wall: bool) -> float:
        """Return how much faster this one is."""
        return other.median / self.median if wall else other.cpu / self.cpu


def read(peer: str, file: Path, python: str) -> dict[str, Any] | str:
    """Let one peer read a file; returns what it printed, or why it did not."""
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-m", "tests.benchmarks.data.peers", peer, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        cwd=ROOT,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def measure(
    file: Path, peers: Sequence[str], repeats: int, peers_python: str
) -> dict[str, Reading | str]:
    """Read a file with every peer, in turns."""
    found: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    for _ in range(repeats):
        for peer in peers:
            if peer in failed:
                continue
            python = sys.executable if peer in OURS else peers_python
            result = read(peer, file, python)
            if isinstance(result, str):
                failed[peer] = result
            else:
                found.setdefault(peer, []).append(result)
    readings: dict[str, Reading | str] = {
        peer: Reading(
            seconds=[one["seconds"] for one in results],
            cpu_seconds=[one["cpu_seconds"] for one in results],
            peak_mib=max(one["peak_mib"] for one in results),
            answer=results[-1]["answer"],
        )
        for peer, results in found.items()
    }
    return {**readings, **failed}


def report(kind: str, size_bytes: int, found: dict[str, Reading | str]) -> list[str]:
    """Print one table; return the bars that were missed."""
    print(f"\n### {kind}, {size_bytes / 2**20:,.0f} MiB\n")
    print(
        "| reader | seconds, median (min - max) | processor seconds | MB/s | peak MiB "
        "| ours is faster by, processor time | wall time |"
    )
    print("|---|---|---|---|---|---|---|")
    ours = found["ours"]
    for peer, reading in found.items():
        if isinstance(reading, str) or isinstance(ours, str):
            print(f"| {peer} | did not run: {reading} | | | | | |")
            continue
        low, high = min(reading.seconds), max(reading.seconds)
        print(
            f"| {peer} | {reading.median:.2f} ({low:.2f} - {high:.2f}) | {reading.cpu:.2f} "
            f"| {size_bytes / 1e6 / max(reading.cpu, 1e-9):,.0f} | {reading.peak_mib:.0f} "
            f"| {ours.times_as_fast_as(reading, wall=False):.2f} "
            f"| {ours.times_as_fast_as(reading, wall=True):.2f} |"
        )
    return missed(kind, found)


def missed(kind: str, found: dict[str, Reading | str]) -> list[str]:
    """Return a line for each bar that these readings miss."""
    lines = []
    bars = dict(BARS) if not kind.startswith("bad") else {}
    if kind.endswith("-3000") and bars:
        bars |= LONG_ROW_BARS
    for (one, other), bar in bars.items():
        first, second = found.get(one, "left out"), found.get(other, "left out")
        if isinstance(first, str) or isinstance(second, str):
            lines.append(f"{kind}: {one} to {other}: not measured")
            continue
        ratio = first.times_as_fast_as(second, wall=other in OURS)
        if ratio < bar:
            lines.append(f"{kind}: {one} is {ratio:.2f} times as fast as {other}, bar {bar:g}")
    for peer in OURS:
        reading = found[peer]
        if isinstance(reading, Reading) and reading.peak_mib > MOST_MIB:
            lines.append(f"{kind}: {peer} took {reading.peak_mib:.0f} MiB, bar {MOST_MIB:g}")
    return lines


def unseen(kind: str, rows: int, found: dict[str, Reading | str]) -> list[str]:
    """Return a line for each of our readings that did not end, or did not look at every row."""
    lines = []
    for peer in OURS:
        reading = found[peer]
        seen = None if isinstance(reading, str) else reading.answer["rows"]
        if seen != rows:
            lines.append(f"{kind}: {peer} looked at {seen} of {rows} rows")
    return lines


def speeds_of_bad_rows(tables: dict[str, tuple[int, dict[str, Reading | str]]]) -> list[str]:
    """Compare files of bad rows with files of good ones, byte for byte; plain ones are the bar."""
    lines = []
    for row, good in itertools.product(("300", "3000"), ("plain", "mixed")):
        pair = [tables.get(f"{name}-{row}") for name in ("bad", good)]
        if None in pair:
            continue
        speeds = []
        for size, found in filter(None, pair):
            reading = found["ours"]
            assert isinstance(reading, Reading)
            speeds.append(size / reading.cpu)
        share = speeds[0] / speeds[1]
        bar = f"bar {BAD_SHARE}" if good == "plain" else "not a bar"
        print(f"\nbad rows of {row} B: {share:.2f} of the speed of {good} good ones ({bar})")
        if share < BAD_SHARE and good == "plain":
            lines.append(f"bad-{row}: {share:.2f} of the speed of good rows, bar {BAD_SHARE}")
    return lines


def compare_tokens(python: str) -> list[str]:
    """Print how fast exact tokens are beside tiktoken's; return a line when the bar is missed."""
    done = subprocess.run(
        [python, "-m", "tests.benchmarks.data.tokens"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        return [f"exact tokens: not measured: {done.stderr.strip().splitlines()[-1]}"]
    lines = []
    print("\n### exact tokens, one thread\n")
    for size, ratio in json.loads(done.stdout).items():
        print(f"rows of {size} B: {ratio:.1f} times as fast as tiktoken (bar {TOKENS_BAR:g})")
        if ratio < TOKENS_BAR:
            lines.append(f"exact tokens: {ratio:.2f} times as fast as tiktoken, bar {TOKENS_BAR:g}")
    return lines


def main() -> int:
    """Print all tables; returns 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="What validation costs beside its peers.")
    parser.add_argument("--gib", type=float, nargs="*", default=[1.0, 2.0], help="sizes in GiB")
    parser.add_argument("--mib", type=float, help="one size in MiB instead")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where files are written; default temporary")
    parser.add_argument("--peers-python", default=sys.executable, help="Python of the peers")
    parser.add_argument("--tokens-python", help="Python that has tiktoken; default the peers'")
    parser.add_argument("--without", nargs="*", default=[], choices=PEERS, help="peers left out")
    given = parser.parse_args()
    sizes = [given.mib / 1024] if given.mib else given.gib
    lines = compare_tokens(given.tokens_python or given.peers_python)
    for gib in sizes:
        tables = {}
        for kind in given.kinds:
            with tempfile.TemporaryDirectory(dir=given.folder) as folder:
                file = Path(folder) / f"{kind}.jsonl"
                rows = write_file(file, kind, int(gib * 2**30))
                size = file.stat().st_size
                peers = [*OURS, *(peer for peer in PEERS if peer not in given.without)]
                found = measure(file, peers, given.repeats, given.peers_python)
            tables[kind] = (size, found)
            missed_here = [*unseen(kind, rows, found), *report(kind, size, found)]
            lines += [f"{gib:g} GiB: {line}" for line in missed_here]
        lines += [f"{gib:g} GiB: {line}" for line in speeds_of_bad_rows(tables)]
    print("\nBars missed:" if lines else "\nEvery bar was met.")
    for line in lines:
        print(f"- {line}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
