"""Going once through a file, or a part of it: what was found, what is to be remembered.

A part is described by a `Job` and answered by a `Part`; both can be sent between processes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ftproviders.data.engine import Engine, Rows
from ftproviders.data.engines import engine_for
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Judgement, Ledger
from ftproviders.data.secrets.scan import scan_block
from ftproviders.data.stream import LineStream, open_data_file
from ftproviders.provider.info import DataProfile
from ftproviders.schema.hyperparameters import Method

__all__ = ["Job", "Part", "join_parts", "scan_part", "scan_stream"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be looked at, and how."""

    path: Path
    start: int = 0
    """First byte; a line begins there."""
    size: int | None = None
    """Number of bytes; None = to the end."""
    method: Method
    shapes: Collection[str]
    rules: Mapping[str, Judgement]
    profiles: Mapping[str, DataProfile]
    max_issues: int
    want_keys: bool
    buckets: int = 1
    folder: Path | None = None
    """Where keys go that are too many for memory."""
    tag: str = "keys"
    long_bytes: int | None = None
    secrets: bool = False
    """Whether secrets are looked for."""

    def rows(self) -> Rows:
        """Return what the engine is to remember."""
        keys = RowKeys(self.buckets, folder=self.folder, tag=self.tag) if self.want_keys else None
        return Rows(method=self.method, shapes=self.shapes, keys=keys, long_bytes=self.long_bytes)

    def ledger(self) -> Ledger:
        """Return an empty ledger."""
        return Ledger(self.rules, max_issues=self.max_issues, profiles=self.profiles)


@dataclass(kw_only=True)
class Part:
    """What was found in a part of a file, with lines counted from its beginning."""

    ledger: Ledger
    lines: int = 0
    bytes: int = 0
    """Bytes read."""
    blank: int = 0
    first_blank: int = 0
    crlf_line: int = 0
    had_bom: bool = False
    ends_with_newline: bool = True
    keys: list[RowKeys] = field(default_factory=list)
    long_rows: list[tuple[int, int]] = field(default_factory=list)
    """Line and place of rows that may have too many tokens."""


def scan_stream(stream: LineStream, job: Job, engine: Engine | None = None) -> Part:
    """Go through a stream to its end."""
    rows = job.rows()
    looking = engine or engine_for(rows)
    ledger = job.ledger()
    part = Part(ledger=ledger, keys=[rows.keys] if rows.keys else [], long_rows=rows.long_rows)
    for block in stream.blocks(large=looking.large_blocks):
        looking.check(block, ledger)
        if job.secrets:
            scan_block(block, ledger)
        if block.blank:
            part.first_blank = part.first_blank or block.blank[0]
            part.blank += len(block.blank)
    looking.finish(ledger)
    part.lines = stream.lines
    part.bytes = stream.bytes
    part.crlf_line = stream.crlf_line
    part.had_bom = stream.had_bom
    part.ends_with_newline = stream.ends_with_newline
    return part


def scan_part(job: Job, on_progress: Callable[[int, int], None] | None = None) -> Part:
    """Open the file and go through one part of it.

    Raises:
        DatasetError: The file cannot be read.
    """
    with closing(open_data_file(job.path)) as file:
        span = None if job.size is None else (job.start, job.size)
        stream = LineStream(file, path=job.path, on_progress=on_progress, part=span, digest=False)
        return scan_stream(stream, job)


def join_parts(parts: list[Part]) -> Part:
    """Put the parts of a file together, in their order; the first one takes up the others."""
    whole = parts[0]
    for part in parts[1:]:
        before = whole.lines
        whole.ledger.merge(part.ledger, line_offset=before)
        for keys in part.keys:
            keys.lines_before = before
        whole.keys += part.keys
        whole.long_rows += [(line + before, offset) for line, offset in part.long_rows]
        whole.blank += part.blank
        if part.first_blank and not whole.first_blank:
            whole.first_blank = part.first_blank + before
        if part.crlf_line and not whole.crlf_line:
            whole.crlf_line = part.crlf_line + before
        whole.lines += part.lines
        if part.lines:
            whole.ends_with_newline = part.ends_with_newline
    return whole
