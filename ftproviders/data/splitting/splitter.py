"""Split a file of rows by a seed: exact sizes, groups together, whatever the order of the rows.

Each row gets a number from its own content (or its group's) and the seed. The rows with the
smallest numbers are the validation rows, the next the test rows, the others are for training. So
the same rows make the same parts in any order; equal rows never stand on both sides; and a row
that is added moves others only at the border between two parts.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from ftproviders.data.conversion.reading import parse_json
from ftproviders.data.conversion.texts import looking
from ftproviders.data.findings import show_file
from ftproviders.data.formats import recognise
from ftproviders.data.outputs import check_outputs, new_files
from ftproviders.data.rules import MAX_ROW_BYTES
from ftproviders.data.splitting.keys import MissingFieldError, prompt_hash, row_key
from ftproviders.data.splitting.notes import Notes
from ftproviders.data.stream import LineStream, open_data_file
from ftproviders.errors import ConfigurationError, DatasetError
from ftproviders.schema.conversion import SplitPart, SplitReport

__all__ = ["split"]

_SPACE = b" \t\r"
_SEED_LIMIT = 2**64


def split(
    source: Path | str,
    *,
    validation: float = 0.1,
    test: float = 0,
    seed: int = 0,
    group_by: str | None = None,
    out_folder: Path | str | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> SplitReport:
    """Split a JSON Lines file into training, validation and, if asked for, test rows.

    Reads the file twice and keeps 16 bytes a row in a temporary file; memory does not grow with
    the file. Rows are copied byte for byte, in their order; a line feed ends each. The new files
    are named ``<name>.train.jsonl``, ``<name>.validation.jsonl``, ``<name>.test.jsonl`` and take
    their places together.

    Args:
        source: JSON Lines, for any method.
        validation: Share of the rows (a float below 1), or their number (an int).
        test: The same for a test file; 0 = none.
        seed: Another seed is another split.
        group_by: Field whose rows stay together (dots go into objects), or ``prompt`` for rows
            that ask the same. Equal rows always stay together.
        out_folder: Where the files go; default beside the source.
        overwrite: Replace files that are there.
        on_progress: Called now and then with bytes read and bytes in all, for each reading.

    Returns:
        Sizes of the parts, and how many prompts are both learnt and asked.

    Raises:
        DatasetError: The file cannot be read, is not JSON Lines, or a row lacks the field; names
            the line.
        ConfigurationError: Sizes do not fit the file, or a new file is there already.
    """
    path = Path(source)
    names = ["validation", *(["test"] if test else []), "train"]
    folder = path.parent if out_folder is None else Path(out_folder)
    files = {name: folder / f"{path.stem}.{name}.jsonl" for name in names}
    _check_sizes(validation, test, seed)
    check_outputs(list(files.values()), sources=[path], overwrite=overwrite)
    open_data_file(path).close()  # what can be opened is looked at, and errors say so
    with tempfile.TemporaryFile(prefix="ftproviders-") as aside, looking("split"):
        notes = Notes(aside)
        _note_rows(path, notes, group_by, seed, on_progress)
        wanted = [_rows_of(size, notes.rows) for size in (validation, test) if size]
        _check_fit(wanted, notes.rows, path)
        limits, groups = notes.cuts(wanted)
        counts = _write(path, notes, limits, [files[name] for name in names], on_progress)
        shared = notes.shared_prompts(limits[-1])
    asked = [*wanted, None]
    parts = [
        SplitPart(name=name, file=files[name], rows=count, wanted=want)
        for name, count, want in zip(names, counts, asked, strict=True)
    ]
    return SplitReport(
        source=show_file(path),
        rows=sum(counts),
        groups=groups,
        group_by=group_by or "row",
        seed=seed,
        parts=(parts[-1], *parts[:-1]),
        shared_prompts=shared,
    )


def _check_sizes(validation: float, test: float, seed: int) -> None:
    for name, size in (("validation", validation), ("test", test)):
        is_share = isinstance(size, float) and 0 < size < 1
        is_number = math.isfinite(size) and size == int(size)
        if not (is_share or (is_number and size >= (name == "validation"))):
            raise ConfigurationError(
                f"{size} is no size for the {name} rows.",
                hint="Give a share between 0 and 1 (0.1), or a number of rows (200).",
            )
    if abs(seed) >= _SEED_LIMIT:
        raise ConfigurationError(f"The seed {seed} is too large.", hint="Take a smaller number.")


def _rows_of(size: float, rows: int) -> int:
    """Return the rows of a part: a share is rounded, but is never nothing."""
    return max(round(size * rows), 1) if 0 < size < 1 else int(size)


def _check_fit(wanted: list[int], rows: int, path: Path) -> None:
    if not rows:
        raise DatasetError(f"{show_file(path)} has no rows.", hint="There is nothing to split.")
    if sum(wanted) >= rows:
        raise ConfigurationError(
            f"{show_file(path)} has {rows} rows; {sum(wanted)} were asked for beside the training "
            "rows.",
            hint="Ask for fewer: at least one row must be left to train on.",
        )


def _lines(
    path: Path, on_progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of every line that is not blank."""
    with closing(open_data_file(path)) as opened:
        stream = LineStream(opened, path=path, on_progress=on_progress, digest=False)
        foreign = recognise(stream.prefix(), whole=stream.prefix_is_whole, path=path)
        if foreign is not None:
            raise DatasetError(
                f"{show_file(path)} is not JSON Lines; it looks like {foreign.looks_like}.",
                hint=foreign.fix,
            )
        for block in stream.blocks():
            if block.too_long:
                raise DatasetError(
                    f"{show_file(path)}, line {block.first_line}: the line is longer than "
                    f"{MAX_ROW_BYTES // 2**20} MiB.",
                    hint="Write one row a line; are the line ends missing?",
                )
            for number, line in enumerate(block.lines, block.first_line):
                content = line.strip(_SPACE)
                if content:
                    yield number, content


def _note_rows(
    path: Path,
    notes: Notes,
    group_by: str | None,
    seed: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    key_of = row_key(group_by, seed)
    for number, line in _lines(path, on_progress):
        try:
            row = parse_json(line.decode())
            notes.add(key_of(row), prompt_hash(row))
        except MissingFieldError as error:
            raise DatasetError(
                f"{show_file(path)}, line {number}: {error}, so it belongs to no group.",
                hint="Group by a field that every row has.",
            ) from error
        except ValueError as error:  # not UTF-8, or not JSON
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise DatasetError(
                f"{show_file(path)}, line {number}: {reason}.",
                hint=f"See everything that is wrong: ftproviders validate {show_file(path)}",
            ) from error


def _write(
    path: Path,
    notes: Notes,
    limits: list[int],
    outputs: list[Path],
    on_progress: Callable[[int, int], None] | None,
) -> list[int]:
    """Copy each row into its part; return the rows of each."""
    counts = [0] * len(outputs)
    keys = notes.keys()
    with new_files(*outputs) as files:
        for _, line in _lines(path, on_progress):
            part = _part(next(keys, None), limits, path)
            counts[part] += 1
            _put(files[part], line)
        if next(keys, None) is not None:
            raise _changed(path)
        if not all(counts):
            raise DatasetError(
                f"{show_file(path)} cannot be split: its rows are in too few groups.",
                hint="Group by something else, or ask for other sizes. Nothing was written.",
            )
    return counts


def _part(key: int | None, limits: list[int], path: Path) -> int:
    if key is None:
        raise _changed(path)
    return next((index for index, limit in enumerate(limits) if key < limit), len(limits))


def _changed(path: Path) -> DatasetError:
    return DatasetError(
        f"{show_file(path)} was changed while it was split.",
        hint="Split it again when nobody writes to it. Nothing was written.",
    )


def _put(file: IO[bytes], line: bytes) -> None:
    file.write(line)
    file.write(b"\n")
