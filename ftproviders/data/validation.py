"""Validate a data file: one pass, every provider at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ftproviders.data.basemodel import BaseModelData
from ftproviders.data.crosswise import add_overlaps, add_repeats, count_long_rows
from ftproviders.data.engine import Engine
from ftproviders.data.findings import show_file
from ftproviders.data.formats import name_files, recognise
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.methods import parse_method
from ftproviders.data.scan import Job, Part, scan_stream
from ftproviders.data.secrets.scan import SecretLevel, with_level
from ftproviders.data.statistics import estimate_tokens
from ftproviders.data.stream import LineStream, open_data_file
from ftproviders.data.tokens import RowCounter as TokenCounter
from ftproviders.data.whole import (
    check_file,
    check_method,
    check_sizes,
    check_validation_file,
)
from ftproviders.data.workers import scan_with_workers, worker_count
from ftproviders.provider.info import DataProfile
from ftproviders.schema.dataset import Dataset, TokenCount, ValidationReport
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.template import TemplateReport

__all__ = ["Validated", "Wishes", "look_at", "validate", "validate_pair"]

_MEBIBYTE = 1024 * 1024
_BUCKET_BYTES = 16 * _MEBIBYTE
_MOST_BUCKETS = 512

Validated = tuple[Dataset, ValidationReport]
"""The file as it was read, and what was found."""

RowCounter = Callable[[object], int]
"""Returns the tokens of a decoded row."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How files are looked at; the same for a training file and its validation file."""

    profiles: Mapping[str, DataProfile]
    method: Method = Method.SUPERVISED
    max_issues: int = 100
    on_progress: Callable[[int, int], None] | None = None
    engine: Engine | None = None
    workers: int | None = None
    across_rows: bool = True
    count_tokens: RowCounter | None = None
    secrets: SecretLevel = "warning"
    model: BaseModelData | None = None
    exact_tokens: bool = False
    digest: bool = False
    """Whether the SHA-256 of the file is wanted."""

    def __post_init__(self) -> None:
        # In Python names are written as texts, too, and every look at a row compares methods.
        object.__setattr__(self, "method", parse_method(self.method))

    def counter(self, limit: int | None) -> RowCounter | TokenCounter | None:
        """Return what counts rows that may have too many tokens; None = nothing does.

        A model's own template is looked at row by row, which includes that.
        """
        if self.count_tokens or not self.model or not self.model.tokenizer or self.model.chat:
            return self.count_tokens
        return TokenCounter(self.model.tokenizer, limit=limit)

    @property
    def graded(self) -> bool:
        """Whether rows are for a grader."""
        return self.method is Method.REINFORCEMENT


@dataclass
class _Seen:
    """A file that was gone through."""

    shown: Path | str
    path: Path
    part: Part
    sha256: str | None
    bytes: int
    tokens: TokenCount | None = None
    template: TemplateReport | None = None

    @property
    def ledger(self) -> Ledger:
        return self.part.ledger

    @property
    def keys(self) -> list[RowKeys]:
        return self.part.keys


def validate(
    file: Path | str,
    *,
    profiles: Mapping[str, DataProfile],
    method: Method | str = Method.SUPERVISED,
    purpose: str = "training",
    max_issues: int = 100,
    on_progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
    workers: int | None = None,
    across_rows: bool = False,
    has_validation_file: bool | None = None,
    count_tokens: RowCounter | None = None,
    source: BinaryIO | None = None,
    secrets: SecretLevel = "warning",
    model: BaseModelData | None = None,
    exact_tokens: bool = False,
) -> Validated:
    """Read a data file once and say what each provider would make of it.

    Memory does not grow with the file; it holds a block of about 1 MiB, or the longest row.

    Args:
        file: Path of the file.
        profiles: Provider name -> what that provider wants of a file.
        method: Training method that the rows are for, or its name.
        purpose: ``training``, or ``validation`` where fewer rows may do.
        max_issues: Issues listed in detail, errors before the others. Counts have no limit.
        on_progress: Called now and then with bytes read and bytes in all.
        engine: What looks at the rows; default the fastest that is here.
        workers: Processes that look at the rows; default the cores for a large file, 1 for a small
            one. The report is the same whatever their number.
        across_rows: Look for rows that stand twice and for prompts with several answers, too.
        has_validation_file: Whether there is one. None = not said: who needs one is then an info,
            not an error.
        count_tokens: Counts the tokens of a row exactly; called only for rows that have more bytes
            than the model takes tokens. Without it such rows are not looked at.
        source: Open stream to read instead, standard input for instance; `file` is then its name.
            It is copied to a temporary file, because rows in doubt are read again.
        secrets: How bad keys, tokens and passwords in rows are; ``off`` = not looked for.
        model: What `find_base_model` knows about the base model: tokens are counted with its
            encoding or tokenizer, and rows are rendered with its template.
        exact_tokens: Count the tokens of every row, however large the file is, and render all.

    Returns:
        The file as it was read, and what was found. Whatever the bytes are, a file that can be
        read has a report.

    Raises:
        DatasetError: The file cannot be read at all.
        ConfigurationError: A profile names a rule that does not exist; or there is no such method.
    """
    wishes = Wishes(
        profiles=profiles,
        method=parse_method(method),
        max_issues=max_issues,
        on_progress=on_progress,
        engine=engine,
        workers=workers,
        across_rows=across_rows,
        count_tokens=count_tokens,
        secrets=secrets,
        model=model,
        exact_tokens=exact_tokens,
        digest=True,
    )
    report = look_at(
        file, wishes, purpose=purpose, has_validation_file=has_validation_file, source=source
    )
    dataset = Dataset(
        path=Path(file), sha256=report.sha256 or "", bytes=report.bytes, rows=report.rows
    )
    return dataset, report


def look_at(
    file: Path | str,
    wishes: Wishes,
    *,
    purpose: str = "training",
    has_validation_file: bool | None = None,
    source: BinaryIO | None = None,
) -> ValidationReport:
    """Do what `validate` does, for those who do not send the file.

    Its digest costs as much as all the rest, and is made only where the wishes say so. Arguments
    and errors are those of `validate`.
    """
    with _place(file, source) as (path, folder):
        seen = _look(file, path, folder, wishes, purpose=purpose, tag="rows")
        if not has_validation_file and purpose == "training":
            said = has_validation_file is not None
            check_validation_file(seen.ledger, wishes.profiles, wishes.method, said=said)
        return _report(seen, wishes.profiles)


def validate_pair(
    training: Path | str, validation: Path | str, wishes: Wishes
) -> tuple[ValidationReport, ValidationReport]:
    """Validate a training file and its validation file, and what stands in both.

    Overlaps are issues of the validation file. Raises like `validate`.
    """
    with tempfile.TemporaryDirectory(prefix="ftproviders-") as name:
        folder = Path(name)
        paths = Path(training), Path(validation)
        buckets = _buckets(max(_size(path) for path in paths))
        one = _look(
            training, paths[0], folder, wishes, purpose="training", tag="train", buckets=buckets
        )
        two = _look(
            validation, paths[1], folder, wishes, purpose="validation", tag="held", buckets=buckets
        )
        if wishes.across_rows:
            add_overlaps(
                two.ledger, paths, one.keys, two.keys, keep=wishes.max_issues, graded=wishes.graded
            )
        return _report(one, wishes.profiles), _report(two, wishes.profiles)


@contextmanager
def _place(file: Path | str, source: BinaryIO | None) -> Iterator[tuple[Path, Path]]:
    """Yield the path to read and a folder for what does not fit into memory."""
    with tempfile.TemporaryDirectory(prefix="ftproviders-") as name:
        folder = Path(name)
        if source is None:
            yield Path(file), folder
            return
        copy = folder / "input.jsonl"
        with copy.open("wb") as out:
            shutil.copyfileobj(source, out, _MEBIBYTE)
        yield copy, folder


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0  # opening it says what is wrong


def _buckets(size: int) -> int:
    return min(size // _BUCKET_BYTES + 1, _MOST_BUCKETS)


def _look(
    shown: Path | str,
    path: Path,
    folder: Path,
    wishes: Wishes,
    *,
    purpose: str,
    tag: str,
    buckets: int | None = None,
) -> _Seen:
    """Go through one file and add what only the whole file shows."""
    profiles = wishes.profiles
    limits = [p.maximum_row_tokens for p in profiles.values() if p.maximum_row_tokens]
    # Of several providers each has its own limit; then none is the limit of the file.
    limit = limits[0] if len(set(limits)) == 1 else None
    if len(limits) < len(profiles) and not (wishes.model and wishes.model.chat):
        limit = None  # it is that of a provider, and says nothing about the model elsewhere
    counter = wishes.counter(limit)
    job = Job(
        path=path,
        method=wishes.method,
        shapes=_shapes(profiles),
        rules=with_level(judgements(profiles, wishes.method), wishes.secrets),
        profiles=profiles,
        max_issues=wishes.max_issues,
        want_keys=wishes.across_rows,
        buckets=buckets or _buckets(_size(path)),
        folder=folder,
        tag=tag,
        long_bytes=min(limits) if limits and counter else None,
        secrets=wishes.secrets != "off",
    )
    seen = _go_through(shown, job, wishes)
    ledger = seen.ledger
    if seen.part.lines:
        if wishes.across_rows:
            add_repeats(ledger, path, seen.keys, keep=wishes.max_issues, graded=wishes.graded)
        if counter is not None:
            count_long_rows(ledger, path, seen.part.long_rows, counter)
        _count_tokens(seen, wishes, limit, over=getattr(counter, "over", None))
    check_file(seen.part, seen.bytes, profiles, purpose)
    check_method(ledger, profiles, wishes.method)
    check_sizes(seen.bytes, ledger, profiles)
    return seen


def _count_tokens(seen: _Seen, wishes: Wishes, limit: int | None, *, over: int | None) -> None:
    """Count the tokens of the file, and render rows with the model's own template."""
    model = wishes.model
    if model is None:
        return
    every_row = wishes.exact_tokens
    seen.template = model.check_template(seen.path, seen.ledger, limit=limit, every_row=every_row)
    statistics = seen.ledger.tally.to_statistics()
    longest = model.longest_row(limit)
    counted = model.count(seen.path, statistics, exact=every_row, limit=longest)
    if counted.rows_over_limit is None and counted.limit is not None:
        over = seen.template.too_long if seen.template else over
        counted = counted.model_copy(update={"rows_over_limit": over})
    seen.tokens = counted


def _shapes(profiles: Mapping[str, DataProfile]) -> frozenset[str]:
    shapes = frozenset[str]().union(*(profile.row_shapes for profile in profiles.values()))
    return shapes or DataProfile().row_shapes


def _go_through(shown: Path | str, job: Job, wishes: Wishes) -> _Seen:
    """Read the file, with one process or several."""
    path = job.path
    with closing(open_data_file(path)) as opened:
        stream = LineStream(opened, path=path, on_progress=wishes.on_progress, digest=wishes.digest)
        with closing(stream):
            if not _is_json_lines(stream, shown):
                part = Part(ledger=job.ledger())
                _add_format(part.ledger, stream, shown)
                stream.skip_to_end()
                return _Seen(shown, path, part, stream.sha256, stream.bytes)
            size = _size(path)
            count = 1 if wishes.engine else worker_count(wishes.workers, size)
            if count == 1:
                part = scan_stream(stream, job, wishes.engine)
                return _Seen(shown, path, part, stream.sha256, stream.bytes)
    part, sha256, read = scan_with_workers(
        job, count=count, size=size, digest=wishes.digest, on_progress=wishes.on_progress
    )
    return _Seen(shown, path, part, sha256, read)


def _is_json_lines(stream: LineStream, shown: Path | str) -> bool:
    prefix = stream.prefix()
    return recognise(prefix, whole=stream.prefix_is_whole, path=Path(shown)) is None


def _add_format(ledger: Ledger, stream: LineStream, shown: Path | str) -> None:
    """Say what a file is that is no JSON Lines."""
    foreign = recognise(stream.prefix(), whole=stream.prefix_is_whole, path=Path(shown))
    if foreign is not None:
        ledger.add_file_issue(
            "file.format",
            message=f"this is not JSON Lines; it looks like {foreign.looks_like}",
            fix=foreign.fix,
        )


def _report(seen: _Seen, profiles: Mapping[str, DataProfile]) -> ValidationReport:
    ledger = seen.ledger
    statistics = ledger.tally.to_statistics()
    listed, truncated = ledger.issues()
    issues = tuple(
        issue.model_copy(update={"fix": name_files(issue.fix, Path(seen.shown))})
        for issue in listed
    )
    return ValidationReport(
        file=show_file(seen.shown),
        sha256=seen.sha256 or None,
        bytes=seen.bytes,
        rows=ledger.tally.rows,
        verdicts={name: ledger.verdict(name) for name in profiles},
        issues=issues,
        issues_truncated=truncated,
        statistics=statistics,
        tokens=seen.tokens or estimate_tokens(statistics),
        template=seen.template,
    )
