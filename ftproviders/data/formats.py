"""What a file is when it is not JSON Lines, and how to turn it into JSON Lines.

Looks only at the first bytes of a file. What it does not recognise is left to the rules for rows.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from ftproviders.data.findings import show_file
from ftproviders.data.stream import BOM

__all__ = ["Foreign", "recognise"]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format that is not JSON Lines."""

    looks_like: str
    """What the file is, in words."""
    fix: str
    """How to convert it."""


_MAGIC = (
    (b"\x1f\x8b", "gzip-compressed", "Unpack it: gzip -dk {file}"),
    (b"BZh", "bzip2-compressed", "Unpack it: bzip2 -dk {file}"),
    (b"\xfd7zXZ\x00", "xz-compressed", "Unpack it: xz -dk {file}"),
    (b"\x28\xb5\x2f\xfd", "Zstandard-compressed", "Unpack it: zstd -d {file}"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook",
     "Unpack it, or save the table as CSV and write one JSON object a row."),
    (b"PAR1", "Parquet",
     "Convert it with pandas: read_parquet({quoted}).to_json({out}, {options})"),
    (b"ARROW1", "an Arrow file",
     "Convert it with pandas: read_feather({quoted}).to_json({out}, {options})"),
    (b"%PDF", "a PDF document", "Write its content as rows of messages."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table as one JSON object a row."),
)  # fmt: skip

_SPACE = b" \t\r\n"

_WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32", "UTF-32"),
    (b"\xff\xfe", "UTF-16", "UTF-16"),
    (b"\xfe\xff", "UTF-16", "UTF-16"),
)


def recognise(prefix: bytes, *, whole: bool, path: Path) -> Foreign | None:
    """Say what a file is that is not JSON Lines.

    Args:
        prefix: The first bytes of the file.
        whole: True when `prefix` is the whole file.
        path: Path of the file, for the commands shown.

    Returns:
        What it looks like; None when it may be JSON Lines.
    """
    fill = {
        "options": "orient='records', lines=True",
        "file": shlex.quote(show_file(path)),
        "quoted": repr(str(path)),
        "out": repr(str(path.with_suffix(".jsonl").name)),
        "new": shlex.quote(show_file(path.stem) + ".new.jsonl"),
    }
    for magic, name, fix in _MAGIC:
        if prefix.startswith(magic):
            return Foreign(name, fix.format(**fill))
    encoding = _wide_encoding(prefix)
    if encoding:
        fix = "Convert it: iconv -f {0} -t UTF-8 {file} > {new}".format(encoding, **fill)
        return Foreign(f"{encoding} text", fix)
    text = prefix.removeprefix(BOM).lstrip(_SPACE)
    if text[:1] == b"[" and _is_array(text, whole=whole):
        return Foreign(
            "one JSON array",
            "Write its items line by line: jq -c '.[]' {file} > {new}".format(**fill),
        )
    if text[:1] == b"{" and _is_spread(text, whole=whole):
        return Foreign(
            "JSON objects spread over several lines (pretty-printed)",
            "Write each on one line: jq -c . {file} > {new}".format(**fill),
        )
    delimiter = _delimiter(text)
    if delimiter:
        return Foreign(
            f"a table with {delimiter} between columns (CSV)",
            'Write each row as {"messages": [{"role": "user", "content": ...}, '
            '{"role": "assistant", "content": ...}]}, for instance with csv.DictReader.',
        )
    return None


def _wide_encoding(prefix: bytes) -> str:
    for bom, _, name in _WIDE_BOMS:
        if prefix.startswith(bom):
            return name
    sample = prefix[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 2 and odd > half * 0.4 and even < half * 0.1:
        return "UTF-16LE"
    if half >= 2 and even > half * 0.4 and odd < half * 0.1:
        return "UTF-16BE"
    return ""


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
        _, end = json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        # A row that is cut off is followed by another row; an object that goes on is not.
        return not whole and not rest.lstrip(_SPACE).startswith(b"{") and first.endswith(b",")
    return end > len(first.decode("utf-8", "replace"))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _delimiter(text: bytes) -> str:
    """Return the name of the delimiter of a table, empty when this is no table."""
    first, _, rest = text.partition(b"\n")
    second = rest.partition(b"\n")[0]
    if b"{" in first or second.lstrip(_SPACE)[:1] in {b"{", b"["} or _is_json(first):
        return ""
    for mark, name in ((b"\t", "tabs"), (b",", "commas"), (b";", "semicolons")):
        if mark in first and mark in second:
            return name
    return ""
