"""What a file is when it is not JSON Lines, and the command that turns it into JSON Lines.

Looks only at the first bytes of a file. What it does not recognise is left to the rules for rows.
"""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from ftproviders.data.findings import show_file
from ftproviders.data.numbers import LENIENT
from ftproviders.data.shapes import columns_flag, suggest_columns
from ftproviders.data.stream import BOM

__all__ = [
    "Foreign",
    "Kind",
    "classify",
    "convert_command",
    "delimiter_of",
    "name_files",
    "recognise",
]

_SPACE = b" \t\r\n"
_CONTROLS = bytes(code for code in range(32) if code not in b"\b\t\n\f\r\x1b")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


class Kind(StrEnum):
    """A kind of file that is not JSON Lines; the value names it in words."""

    GZIP = "gzip-compressed"
    BZIP2 = "bzip2-compressed"
    XZ = "xz-compressed"
    ZSTANDARD = "Zstandard-compressed"
    EXCEL = "an Excel workbook"
    ZIP = "a ZIP archive"
    PARQUET = "Parquet"
    ARROW = "an Arrow file"
    PDF = "a PDF document"
    SQLITE = "an SQLite database"
    UTF16 = "UTF-16 text"
    UTF16_LE = "UTF-16LE text"
    UTF16_BE = "UTF-16BE text"
    UTF32 = "UTF-32 text"
    ARRAY = "one JSON array"
    SPREAD = "JSON objects spread over several lines (pretty-printed)"
    LFS = "a Git LFS pointer, which stands for the data"
    HTML = "a web page (HTML)"
    BINARY = "binary data, or text in an encoding other than UTF-8"
    TABLE = "a table with {delimiter} between columns ({name})"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format that is not JSON Lines."""

    kind: Kind
    looks_like: str
    """What the file is, in words."""
    fix: str
    """How to convert it."""


_MAGIC = (
    (b"\x1f\x8b", Kind.GZIP),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTANDARD),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PAR1", Kind.PARQUET),
    (b"ARROW1", Kind.ARROW),
    (b"\xff\xff\xff\xff", Kind.ARROW),  # a stream, which is what `datasets` saves
    (b"%PDF", Kind.PDF),
    (b"SQLite format 3\x00", Kind.SQLITE),
    (b"version https://git-lfs.github.com/spec/", Kind.LFS),
    (b"\xff\xfe\x00\x00", Kind.UTF32),
    (b"\x00\x00\xfe\xff", Kind.UTF32),
    (b"\xff\xfe", Kind.UTF16),
    (b"\xfe\xff", Kind.UTF16),
)

_BY_HAND = {
    Kind.ZSTANDARD: "Unpack it: zstd -d {file}",
    Kind.EXCEL: "Save its sheet as CSV, then convert that: ftproviders data convert FILE.csv "
    "--out {out}",
    Kind.LFS: "Fetch the data themselves: git lfs pull",
    Kind.HTML: "Download the file itself, not the page about it.",
    Kind.BINARY: "Check that it is the right file, or state its encoding: ftproviders data convert "
    "{file} --encoding NAME --out {out}",
    Kind.PDF: "Write its content as rows of messages.",
    Kind.SQLITE: "Export the table as CSV, then convert that: ftproviders data convert FILE.csv "
    "--out {out}",
}
"""What no command of ours converts, and what to do instead."""

_WORKBOOK = (b"[Content_Types].xml", b"xl/")
"""What stands in the ZIP archive that an Excel workbook is."""

_DELIMITERS = (("\t", "tabs", "TSV"), (",", "commas", "CSV"), (";", "semicolons", "CSV"))


def recognise(prefix: bytes, *, whole: bool, path: Path) -> Foreign | None:
    """Say what a file is that is not JSON Lines.

    Args:
        prefix: The first bytes of the file.
        whole: True when `prefix` is the whole file.
        path: Path of the file, for the commands shown.

    Returns:
        What it looks like; None when it may be JSON Lines.
    """
    kind = classify(prefix, whole=whole)
    if kind is None:
        return None
    looks_like = str(kind)
    columns: dict[str, str] = {}
    if kind is Kind.TABLE:
        delimiter = delimiter_of(prefix)
        name, short = next((name, short) for mark, name, short in _DELIMITERS if mark == delimiter)
        looks_like = looks_like.format(delimiter=name, name=short)
        columns = suggest_columns(_header(prefix, delimiter))
    elif kind in {Kind.ARRAY, Kind.SPREAD}:
        columns = suggest_columns(_first_keys(prefix))
    by_hand = _BY_HAND.get(kind)
    if by_hand:
        out = _argument(path.with_name(_out_name(path)))
        return Foreign(kind, looks_like, by_hand.format(file=shlex.quote(show_file(path)), out=out))
    what = "Convert it, with the columns that you mean" if columns else "Convert it"
    return Foreign(kind, looks_like, f"{what}: {convert_command(path, columns)}")


def convert_command(path: Path, columns: dict[str, str] | None = None) -> str:
    """Return the command that converts `path` into JSON Lines beside it."""
    parts = ["ftproviders data convert", _argument(path)]
    if columns:
        parts.append(columns_flag(columns))
    return " ".join([*parts, "--out", _argument(path.with_name(_out_name(path)))])


def name_files(fix: str, path: Path) -> str:
    """Put the file's own name, and that of a new one, into a command that names neither."""
    if " FILE " not in fix:
        return fix
    new = _argument(path.with_name(_out_name(path)))
    for command in ("data convert", "validate"):
        fix = fix.replace(
            f"ftproviders {command} FILE ", f"ftproviders {command} {_argument(path)} "
        )
    return fix.replace(" NEW_FILE", f" {new}")


def _argument(path: Path) -> str:
    """Quote a path for a shell; a name that looks like a flag is given its folder."""
    shown = show_file(path)
    return shlex.quote(f"./{shown}" if shown.startswith("-") and shown != "-" else shown)


def _out_name(path: Path) -> str:
    """Name the converted file: never the file itself, nor one that is there already."""
    stem = show_file(path.name)
    while stem.lower().endswith(_COMPRESSED):
        stem = stem.rpartition(".")[0]
    stem = stem.rpartition(".")[0] or stem
    name = f"{stem if stem.strip('-') else 'data'}.jsonl"
    taken = name == path.name or path.with_name(name).exists()
    return f"{stem}.new.jsonl" if taken else name


def classify(prefix: bytes, *, whole: bool) -> Kind | None:
    """Tell the kind of a file from its first bytes; None when it may be JSON Lines."""
    for magic, kind in _MAGIC:
        if prefix.startswith(magic):
            workbook = kind is Kind.ZIP and any(part in prefix[:65536] for part in _WORKBOOK)
            return Kind.EXCEL if workbook else kind
    wide = _wide(prefix)
    if wide is not None:
        return wide
    text = prefix.removeprefix(BOM).lstrip(_SPACE)
    if text[:14].lower().startswith((b"<!doctype html", b"<html")):
        return Kind.HTML
    if _is_binary(prefix):
        return Kind.BINARY
    if text[:1] == b"[" and _is_array(text, whole=whole):
        return Kind.ARRAY
    if text[:1] == b"{" and _is_spread(text, whole=whole):
        return Kind.SPREAD
    return Kind.TABLE if delimiter_of(text) else None


def _wide(prefix: bytes) -> Kind | None:
    """Recognise UTF-16 without a byte order mark: every other byte of Latin text is zero."""
    sample = prefix[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 2 and odd > half * 0.4 and even < half * 0.1:
        return Kind.UTF16_LE
    if half >= 2 and even > half * 0.4 and odd < half * 0.1:
        return Kind.UTF16_BE
    return None


def _is_binary(prefix: bytes) -> bool:
    """Tell what is no text: one of 20 bytes, and a NUL among them, stands for no character."""
    sample = prefix[:4096]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return b"\0" in sample and controls * 20 > len(sample)


def _is_array(text: bytes, *, whole: bool) -> bool:
    """Tell an array as the file from rows that are arrays: the latter are whole on each line."""
    first, newline, rest = text.partition(b"\n")
    if not _is_json(first):
        return bool(newline) or not whole or _is_json(text)
    return whole and not rest.strip(_SPACE)


def _is_spread(text: bytes, *, whole: bool) -> bool:
    """Tell whether a first line only opens an object that goes on in the next lines."""
    first, newline, rest = text.partition(b"\n")
    if not newline or _is_json(first):
        return False
    if first.strip(_SPACE) == b"{":
        return True
    try:
        _, end = LENIENT.raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        # A row that is cut off is followed by another row; an object that goes on is not.
        return not whole and not rest.lstrip(_SPACE).startswith(b"{") and first.endswith(b",")
    return end > len(first.decode("utf-8", "replace"))


def _is_json(text: bytes) -> bool:
    try:
        LENIENT.decode(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def delimiter_of(text: bytes) -> str:
    """Return what stands between the columns of a table, empty when this is no table."""
    text = text.removeprefix(BOM).lstrip(_SPACE)
    first, _, rest = text.partition(b"\n")
    second = rest.partition(b"\n")[0]
    if b"{" in first or second.lstrip(_SPACE)[:1] in {b"{", b"["} or _is_json(first):
        return ""
    for mark, _, _ in _DELIMITERS:
        records = _records(text, mark) if mark.encode() in first else []
        if len(records) == 2 and all(len(record) > 1 for record in records):
            return mark
    return ""


def _records(text: bytes, delimiter: str) -> list[list[str]]:
    """Read the first two records of a table, as far as they can be read."""
    lines = text.decode("utf-8", "replace").splitlines(keepends=True)
    try:
        return list(islice(csv.reader(lines, delimiter=delimiter), 2))
    except csv.Error:
        return []


def _header(prefix: bytes, delimiter: str) -> Sequence[str]:
    records = _records(prefix.removeprefix(BOM).lstrip(_SPACE), delimiter)
    return records[0] if records else []


def _first_keys(prefix: bytes) -> Sequence[str]:
    text = prefix.removeprefix(BOM).decode("utf-8", "replace").lstrip(" \t\r\n[")
    try:
        value, _ = LENIENT.raw_decode(text)
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, dict) else []
