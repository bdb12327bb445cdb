"""Validate a data file: one pass, every provider at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from ftproviders.data.engine import Engine, TwoPathEngine
from ftproviders.data.findings import show_file
from ftproviders.data.formats import recognise
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.statistics import estimate_tokens
from ftproviders.data.stream import LineStream, open_data_file
from ftproviders.errors import UnsupportedFeatureError
from ftproviders.provider.info import DataProfile
from ftproviders.schema.dataset import Dataset, ValidationReport
from ftproviders.schema.hyperparameters import Method

__all__ = ["validate"]

_MEBIBYTE = 1024 * 1024


def validate(
    file: Path | str,
    *,
    profiles: Mapping[str, DataProfile],
    method: Method = Method.SUPERVISED,
    purpose: str = "training",
    max_issues: int = 100,
    on_progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> tuple[Dataset, ValidationReport]:
    """Read a data file once and say what each provider would make of it.

    Memory does not grow with the file; it holds a block of about 1 MiB, or the longest row.

    Args:
        file: Path of the file.
        profiles: Provider name -> what that provider wants of a file.
        method: Training method that the rows are for.
        purpose: ``training``, or ``validation`` where fewer rows may do.
        max_issues: Issues listed in detail, errors before the others. Counts have no limit.
        on_progress: Called now and then with bytes read and bytes in all.
        engine: What looks at the rows; default `TwoPathEngine`.

    Returns:
        The file as it was read, and what was found. Whatever the bytes are, a file that can be
        read has a report.

    Raises:
        DatasetError: The file cannot be read at all.
        ConfigurationError: A profile names a rule that does not exist.
        UnsupportedFeatureError: There are no rules for rows of `method` yet.
    """
    if method is not Method.SUPERVISED:
        raise UnsupportedFeatureError(
            f"There are no data rules for the method {method.value} yet.",
            feature=f"validate {method.value}",
            hint="Only supervised chat rows can be checked.",
        )
    path = Path(file)
    ledger = Ledger(judgements(profiles), max_issues=max_issues)
    with closing(open_data_file(path)) as opened:
        stream = LineStream(opened, path=path, on_progress=on_progress)
        if _is_json_lines(stream, path, ledger):
            _check_rows(stream, ledger, engine or TwoPathEngine())
            _check_file(stream, ledger, profiles, purpose)
    _check_size(stream.bytes, ledger, profiles)
    return _result(file, path, stream, ledger, profiles)


def _is_json_lines(stream: LineStream, path: Path, ledger: Ledger) -> bool:
    """Look at the first bytes; a file that is something else is only digested."""
    foreign = recognise(stream.prefix(), whole=stream.prefix_is_whole, path=path)
    if foreign is None:
        return True
    ledger.add_file_issue(
        "file.format",
        message=f"this is not JSON Lines; it looks like {foreign.looks_like}",
        fix=foreign.fix,
    )
    stream.skip_to_end()
    return False


def _check_rows(stream: LineStream, ledger: Ledger, engine: Engine) -> None:
    blank = first_blank = 0
    for block in stream.blocks():
        rows_before = ledger.tally.rows
        engine.check(block, ledger)
        skipped = len(block.lines) - (ledger.tally.rows - rows_before)
        if skipped and not first_blank:
            first_blank = next(
                number
                for number, line in enumerate(block.lines, block.first_line)
                if not line.strip(b" \t\r")
            )
        blank += skipped
    if blank:
        ledger.add_file_issue(
            "file.blank_lines",
            line=first_blank,
            message=f"{blank} blank {'line is' if blank == 1 else 'lines are'} skipped",
            fix="Nothing needs to be done.",
        )


def _check_file(
    stream: LineStream, ledger: Ledger, profiles: Mapping[str, DataProfile], purpose: str
) -> None:
    rows = ledger.tally.rows
    if not rows:
        what = "the file is empty" if not stream.bytes else "the file has only blank lines"
        fix = 'Write one {"messages": [...]} a line.'
        ledger.add_file_issue("file.empty", message=what, fix=fix)
        return
    if stream.had_bom:
        ledger.add_file_issue(
            "file.bom",
            message="the file begins with a byte order mark",
            fix="Save it as UTF-8 without BOM, if the provider minds.",
        )
    if stream.crlf_line:
        ledger.add_file_issue(
            "file.crlf",
            line=stream.crlf_line,
            message="lines end with carriage return and line feed",
            fix="Nothing needs to be done.",
        )
    if not stream.ends_with_newline:
        ledger.add_file_issue(
            "file.last_newline",
            message="the last line has no line feed",
            fix="Nothing needs to be done.",
        )
    _check_minimum(rows, ledger, profiles, purpose)


def _check_minimum(
    rows: int, ledger: Ledger, profiles: Mapping[str, DataProfile], purpose: str
) -> None:
    def minimum(profile: DataProfile) -> int:
        if purpose == "validation":
            return profile.minimum_validation_rows
        return profile.minimum_training_rows

    short = {name: minimum(p) for name, p in profiles.items() if rows < minimum(p)}
    for limit in sorted(set(short.values())):
        named = [name for name, needed in short.items() if needed == limit]
        ledger.add_limit_issue(
            "file.rows",
            providers=named,
            everybody=len(named) == len(profiles),
            message=f"the file has {rows} {'row' if rows == 1 else 'rows'}, "
            f"fewer than {limit} for {purpose}",
            fix=f"Add at least {limit - rows} more.",
        )


def _check_size(size: int, ledger: Ledger, profiles: Mapping[str, DataProfile]) -> None:
    over = {
        name: profile.maximum_bytes
        for name, profile in profiles.items()
        if profile.maximum_bytes is not None and size > profile.maximum_bytes
    }
    for limit in sorted(set(over.values())):
        named = [name for name, allowed in over.items() if allowed == limit]
        ledger.add_limit_issue(
            "file.bytes",
            providers=named,
            everybody=len(named) == len(profiles),
            message=f"the file has {size:,} bytes, more than {limit:,} "
            f"({limit / _MEBIBYTE:,.0f} MiB)",
            fix="Leave out rows, or split them into two jobs.",
        )


def _result(
    file: Path | str,
    path: Path,
    stream: LineStream,
    ledger: Ledger,
    profiles: Mapping[str, DataProfile],
) -> tuple[Dataset, ValidationReport]:
    statistics = ledger.tally.to_statistics()
    issues, truncated = ledger.issues()
    dataset = Dataset(path=path, sha256=stream.sha256, bytes=stream.bytes, rows=ledger.tally.rows)
    report = ValidationReport(
        file=show_file(file),
        sha256=dataset.sha256,
        bytes=dataset.bytes,
        rows=dataset.rows,
        verdicts={name: ledger.verdict(name) for name in profiles},
        issues=issues,
        issues_truncated=truncated,
        statistics=statistics,
        tokens=estimate_tokens(statistics),
    )
    return dataset, report
