"""What only several rows together show, as issues: repeats, overlaps, rows with too many tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ftproviders.data.findings import Finding
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Ledger
from ftproviders.data.numbers import LENIENT
from ftproviders.data.repeats import Repeat, Repeats, find_overlaps, find_repeats

__all__ = ["add_overlaps", "add_repeats", "count_long_rows"]


def add_repeats(
    ledger: Ledger, path: Path, keys: Sequence[RowKeys], *, keep: int, graded: bool
) -> None:
    """Write into the ledger which rows of a file repeat or contradict others.

    Whoever looked at the parts of a file side by side goes through their keys so, too.
    """
    found = find_repeats(path, keys, keep=keep, graded=graded, threads=len(keys))
    _add(ledger, found, _in_file)


def add_overlaps(
    ledger: Ledger,
    paths: tuple[Path, Path],
    training: Sequence[RowKeys],
    validation: Sequence[RowKeys],
    *,
    keep: int,
    graded: bool,
) -> None:
    """Write into the ledger of a validation file which of its rows stand in the training file."""
    found = find_overlaps(paths, training, validation, keep=keep, graded=graded)
    _add(ledger, found, _in_both)


def _add(ledger: Ledger, found: Repeats, describe: Callable[[Repeat], Finding]) -> None:
    kept = found.first()
    for repeat in kept:
        ledger.add(describe(repeat), line=repeat.line, text="")
        found.counts[repeat.rule] -= 1
    ledger.counts.update({rule: count for rule, count in found.counts.items() if count})


def _in_file(repeat: Repeat) -> Finding:
    if repeat.same:
        return Finding(
            rule=repeat.rule,
            offset=0,
            message=f"the row is the same as that of line {repeat.other_line}",
            fix="Keep one of the two.",
        )
    return Finding(
        rule=repeat.rule,
        offset=0,
        message=f"line {repeat.other_line} has the same prompt and another answer",
        fix="Keep the better answer, or say in the prompt what makes the difference.",
    )


def _in_both(repeat: Repeat) -> Finding:
    what = "the row stands" if repeat.same else "the prompt stands, with another answer,"
    return Finding(
        rule=repeat.rule,
        offset=0,
        message=f"{what} in the training file, line {repeat.other_line}",
        fix="Take it out of one of the two files.",
    )


def count_long_rows(
    ledger: Ledger,
    path: Path,
    rows: Sequence[tuple[int, int]],
    count_tokens: Callable[[object], int],
) -> None:
    """Count the tokens of rows that may have too many; only those with more bytes than the limit.

    Args:
        ledger: Where rows with too many tokens are written.
        path: The file.
        rows: Line and place of the rows in question.
        count_tokens: Counts the tokens of a decoded row.
    """
    if not rows:
        return
    with path.open("rb") as file:
        for line, offset in rows:
            file.seek(offset)
            tokens = count_tokens(LENIENT.decode(file.readline().decode("utf-8", "surrogatepass")))
            ledger.add(
                Finding(
                    rule="row.tokens",
                    offset=0,
                    amount=tokens,
                    message=f"the row has {tokens:,} tokens, more than the model takes",
                    fix="Shorten or split it; what is beyond the limit is cut off.",
                ),
                line=line,
                text="",
            )
