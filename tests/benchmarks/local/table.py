"""Numbers of several rounds -> Markdown tables and verdicts. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["OURS", "Bar", "Round", "operations", "peers", "verdicts"]

OURS = "ours"

Round = Mapping[str, Mapping[str, Any]]
"""Name of a peer -> what it printed, and its ``held_out_loss``."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Something that the medians have to keep."""

    peer: str
    number: str
    """A key of what peers print."""
    least: float | None = None
    """Least ours / peer."""
    most: float | None = None
    """Greatest ours / peer."""


def ratios(rounds: Sequence[Round], peer: str, number: str) -> list[float]:
    """Return ours / peer of every round."""
    return [found[OURS][number] / found[peer][number] for found in rounds]


def spread(values: Sequence[float], digits: int) -> str:
    """Return ``median (least-greatest)``."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def peers(rounds: Sequence[Round]) -> str:
    """Return one row a peer: median (least-greatest) over the rounds; ratios are per round."""
    header = (
        "| | tokens/s | step, ms | step, CPU ms | first step, s | first step, CPU s "
        "| adapter saved, s | training loss | held-out loss | peak RSS, GB "
        "| speed, ours / it | first step, ours / it |"
    )
    lines = [header, "|---|" + "---|" * 11]
    for peer in rounds[0]:

        def column(number: str, digits: int, peer: str = peer) -> str:
            return spread([found[peer][number] for found in rounds], digits)

        compared = ["", ""]
        if peer != OURS:
            compared = [
                spread(ratios(rounds, peer, number), 2)
                for number in ("tokens_per_second", "first_step_seconds")
            ]
        cells = [
            peer,
            column("tokens_per_second", 0),
            column("step_ms", 0),
            column("step_work_ms", 0),
            column("first_step_seconds", 1),
            column("first_step_work_seconds", 1),
            column("saved_seconds", 1),
            *(
                f"{statistics.median(found[peer][number] for found in rounds):.4f}"
                for number in ("final_loss", "held_out_loss")
            ),
            f"{max(found[peer]['peak_rss_gb'] for found in rounds):.2f}",
            *compared,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdicts(rounds: Sequence[Round], bars: Sequence[Bar]) -> tuple[str, list[Bar]]:
    """Return one line a bar, and the bars that the median misses."""
    lines, missed = [], []
    for bar in bars:
        found = statistics.median(ratios(rounds, bar.peer, bar.number))
        kept = (bar.least is None or found >= bar.least) and (bar.most is None or found <= bar.most)
        if not kept:
            missed.append(bar)
        sides = [f">= {bar.least:g}"] if bar.least is not None else []
        sides += [f"<= {bar.most:g}"] if bar.most is not None else []
        name = bar.number.replace("_", " ")
        lines.append(
            f"- {name}, ours / {bar.peer}: {found:.3f}, to be {' and '.join(sides)}: "
            f"{'kept' if kept else '**missed**'}"
        )
    return "\n".join(lines), missed


def operations(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the operations in which each peer spends its processor time."""
    lines = ["| | operation | share | calls a step |", "|---|---|---|---|"]
    for peer, line in found.items():
        for row in line["profile"]:
            name = str(row["operation"])[:60].replace("|", "/")
            lines.append(
                f"| {peer} | `{name}` | {row['share']:.1%} | {row['calls_per_step']:.0f} |"
            )
    return "\n".join(lines)
