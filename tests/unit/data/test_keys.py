"""Keys of rows that are too many for memory: written now and then, and read bucket by bucket."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from pathlib import Path

import pytest

from ftproviders.data import keys
from ftproviders.data.keys import RowKeys, bucket_count

_HELD = 100
Record = tuple[int, ...]


def records_of(count: int, seed: int) -> list[Record]:
    """Return keys, lines and places, some keys of them more than once."""
    chance = random.Random(seed)
    return [(chance.randrange(count) << 32 | 7, line, 9 * line) for line in range(1, count + 1)]


def fill(made: RowKeys, records: list[Record], *, at_once: int = 30) -> RowKeys:
    for at in range(0, len(records), at_once):
        part = records[at : at + at_once]
        made.add_records(array("Q", [number for record in part for number in record]).tobytes())
    return made


def read(made: RowKeys, bucket: int) -> list[Record]:
    return [
        tuple(chunk[at : at + 3]) for chunk in made.read(bucket) for at in range(0, len(chunk), 3)
    ]


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MOST_IN_MEMORY", _HELD)
    monkeypatch.setattr(keys, "_READ_BYTES", 24 * 16)


@pytest.mark.parametrize("engine", ["python", "native"])
@pytest.mark.parametrize("buckets", [2, 7])
def test_what_was_written_several_times_is_read_in_order(
    tmp_path: Path, buckets: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "native":
        pytest.importorskip("ftproviders.data._native")
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", engine)
    records = records_of(1_000, 1)
    made = fill(RowKeys(buckets, folder=tmp_path), records)
    made.spill()
    assert len(made._spilled) > 3
    for bucket in range(buckets):
        expected = [record for record in records if (record[0] >> 32) % buckets == bucket]
        assert read(made, bucket) == expected
        assert made.size(bucket) == len(expected)
        assert len(expected) > 16, "more than is read at once"


@pytest.mark.parametrize(
    ("rows", "count"),
    [((60, 40), 1), ((60, 41), 3), ((140, 10), 3), ((10, 140), 3), ((140, 140), 3), ((0, 0), 1)],
)
def test_all_parts_are_read_in_the_same_way(
    tmp_path: Path, rows: tuple[int, ...], count: int
) -> None:
    """Either all of them in memory, or each by its buckets: equal prompts meet in one."""
    of_parts = [records_of(number, number) for number in rows]
    made = [
        fill(RowKeys(3, folder=tmp_path, tag=f"part{index}"), records)
        for index, records in enumerate(of_parts)
    ]
    assert bucket_count(made) == count
    for part, records in zip(made, of_parts, strict=True):
        each = [read(part, bucket) for bucket in range(count)]
        assert Counter(record for some in each for record in some) == Counter(records)
        for bucket, some in enumerate(each):
            assert {(key >> 32) % count for key, *_ in some} <= {bucket}
