"""Rows of Parquet and Arrow files, and of data frames and data sets in memory.

None of the libraries behind them is a dependency: files need pyarrow to be installed, objects are
told by the methods that they have.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from ftproviders.data.conversion.reading import SourceRow
from ftproviders.data.findings import show
from ftproviders.errors import ConfigurationError, DatasetError, MissingDependencyError

__all__ = ["object_rows", "parquet_rows"]

_ROWS_AT_ONCE = 1000


def parquet_rows(file: IO[bytes], name: str, *, is_parquet: bool) -> Iterator[SourceRow]:
    """Yield the rows of a Parquet or an Arrow file, a thousand at a time.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        DatasetError: The file is damaged.
    """
    module = "pyarrow.parquet" if is_parquet else "pyarrow.ipc"
    try:
        arrow: Any = importlib.import_module("pyarrow")
        library: Any = importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs pyarrow to be read, which is not installed.",
            hint="pip install pyarrow, then run the same command again.",
        ) from error
    try:
        if is_parquet:
            batches = library.ParquetFile(file).iter_batches(batch_size=_ROWS_AT_ONCE)
        else:
            batches = _arrow_batches(library, file)
        number = 0
        for batch in batches:
            for value in batch.to_pylist():
                number += 1
                yield SourceRow(number, _plain(value))
    except (arrow.ArrowException, OSError) as error:
        raise DatasetError(
            f"{name} cannot be read: {_first_line(error)}.",
            hint="Write the file once more; it may have been cut off.",
        ) from error


def _arrow_batches(library: Any, file: IO[bytes]) -> Iterator[Any]:
    """Yield the batches of an Arrow file, or of a stream, which has no index at its end."""
    is_stream = file.read(4) == b"\xff\xff\xff\xff"
    file.seek(0)
    if is_stream:
        yield from library.open_stream(file)
        return
    reader = library.open_file(file)
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:200] or type(error).__name__


def object_rows(rows: object) -> Iterator[SourceRow]:
    """Yield the rows of an object in memory, numbered from 1.

    Args:
        rows: A pandas or polars data frame, a `datasets.Dataset`, an Arrow table, or anything
            that yields mappings.

    Raises:
        ConfigurationError: It is none of these.
    """
    for number, row in enumerate(_iterate(rows), 1):
        if isinstance(row, Mapping):
            yield SourceRow(number, {str(key): _plain(value) for key, value in row.items()})
        else:
            yield SourceRow(number, None, f"the row is {_kind(row)}, not a mapping")


def _iterate(rows: Any) -> Iterable[Any]:
    if hasattr(rows, "iloc") and hasattr(rows, "to_dict"):  # pandas
        return _slices(rows)
    if hasattr(rows, "iter_rows"):  # polars
        return _checked(rows.iter_rows(named=True))
    if hasattr(rows, "collect") and hasattr(rows, "lazy"):  # polars, not computed yet
        raise ConfigurationError(
            "A lazy frame has no rows yet.", hint="Give the frame itself: frame.collect()."
        )
    if hasattr(rows, "to_batches") and hasattr(rows, "schema"):  # pyarrow
        return (row for batch in rows.to_batches(_ROWS_AT_ONCE) for row in batch.to_pylist())
    if isinstance(rows, Mapping):
        names = ", ".join(repr(key) for key in list(rows)[:5])
        raise ConfigurationError(
            "A mapping is not a list of rows.",
            hint=f"If these are splits of a data set, give one of them: {names}.",
        )
    if hasattr(rows, "to_dicts"):
        return _checked(rows.to_dicts())
    if isinstance(rows, Iterable) and not isinstance(rows, str | bytes):
        return rows
    raise ConfigurationError(
        f"{_kind(rows)} cannot be read as rows.",
        hint="Give a path, a data frame, a data set, or an iterable of mappings.",
    )


def _slices(frame: Any) -> Iterator[Any]:
    for start in range(0, len(frame), _ROWS_AT_ONCE):
        yield from frame.iloc[start : start + _ROWS_AT_ONCE].to_dict(orient="records")


def _checked(rows: Any) -> Iterable[Any]:
    if not isinstance(rows, Iterable):
        raise ConfigurationError(
            f"{_kind(rows)} is not iterable.", hint="Give an iterable of mappings."
        )
    return rows


def _kind(value: object) -> str:
    plain = value is None or isinstance(value, str | int | float | list | dict)
    return show(value) if plain else f"a {type(value).__name__}"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no arrays, no NaN for what is missing, no numpy numbers."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy arrays and numbers
        return _plain(value.tolist())
    if hasattr(value, "to_list"):  # series of a frame
        return _plain(value.to_list())
    if hasattr(value, "isoformat"):  # times; what pandas has for a missing one is not itself
        return value.isoformat() if value == value else None
    return None if type(value).__name__ == "NAType" else value
