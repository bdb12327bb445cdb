"""What an import of the package costs, beside ``import openai`` in the same run.

Each round starts one fresh interpreter per command, in turn, so that whatever else the machine
does falls on all of them alike; the interpreter's own start is in every number. Medians are
compared, never absolute times. Exits 1 when a ratio is above its limit.

    python tests/benchmarks/bench_import.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

BASELINE = "import openai"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    BASELINE: [sys.executable, "-c", "import openai"],
    "import ftproviders": [sys.executable, "-c", "import ftproviders"],
    # Names are lazy, so the import alone says little about first use: this row is for information.
    "FineTuneClient": [sys.executable, "-c", "from ftproviders import FineTuneClient"],
    "ftproviders --help": [str(Path(sys.executable).with_name("ftproviders")), "--help"],
}
LIMITS = {"import ftproviders": 0.3, "ftproviders --help": 0.8}


def seconds(command: list[str]) -> float:
    """Run a command once and return how long it took, from start to end of its process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, list[float]]:
    """Time every command `rounds` times, interleaved, after one round that only warms up."""
    for command in COMMANDS.values():
        seconds(command)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    return times


def report(times: dict[str, list[float]]) -> bool:
    """Print one row a command and say whether every limit is kept."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    width = max(map(len, times))
    print(f"{'':{width}}  median ms  min ms  max ms  of `{BASELINE}`   limit")
    kept = True
    for name, values in times.items():
        ratio = medians[name] / medians[BASELINE]
        limit = LIMITS.get(name)
        verdict = "" if limit is None else f"{limit:8.2f}  {'ok' if ratio <= limit else 'MISSED'}"
        kept = kept and (limit is None or ratio <= limit)
        print(
            f"{name:{width}}  {medians[name] * 1e3:9.0f}  {min(values) * 1e3:6.0f}"
            f"  {max(values) * 1e3:6.0f}  {ratio:18.2f}{verdict}"
        )
    return kept


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="fresh processes per command")
    rounds: int = parser.parse_args().rounds
    print(f"{rounds} rounds, Python {sys.version.split()[0]}")
    return 0 if report(measure(rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
