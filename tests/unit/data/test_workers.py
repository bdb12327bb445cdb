"""Processes that look at a file together: cutting, interrupting, and one that dies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psutil
import pytest

from ftproviders import data
from ftproviders.data import engine as engine_module
from ftproviders.data import stream, workers
from ftproviders.provider import DataProfile
from tests.unit.data.data_cases import GOOD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(GOOD.replace("Hi", f"Hi {n}") + "\n" for n in range(5_000)))
    return path


@pytest.mark.parametrize("count", [1, 2, 3, 7, 5_000])
def test_cuts_are_whole_lines_and_everything(file: Path, count: int) -> None:
    content = file.read_bytes()
    ranges = workers.cut(file, len(content), count)
    assert 1 <= len(ranges) <= count
    assert b"".join(content[start : start + size] for start, size in ranges) == content
    assert all(content[start + size - 1 : start + size] == b"\n" for start, size in ranges)


def test_small_files_are_looked_at_by_one(file: Path) -> None:
    assert workers.worker_count(None, file.stat().st_size) == 1
    assert workers.worker_count(3, file.stat().st_size) == 3
    assert workers.worker_count(0, 10) == 1


def test_an_interrupt_leaves_neither_processes_nor_files(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "python")  # the native engine starts none
    started: list[int] = []
    start = workers._start

    def noting(job: workers.Job) -> subprocess.Popen[bytes]:
        process = start(job)
        started.append(process.pid)
        return process

    def interrupt(done: int, whole: int) -> None:
        if started:
            raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_start", noting)
    with pytest.raises(KeyboardInterrupt):
        data.validate(file, profiles={}, workers=2, across_rows=True, on_progress=interrupt)
    assert len(started) == 2
    assert not any(psutil.pid_exists(pid) for pid in started)
    assert list(scratch.iterdir()) == []


def test_what_a_dead_process_had_is_looked_at_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = {"one": DataProfile()}
    expected = data.validate(file, profiles=profiles, across_rows=True, workers=1)
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", "python")  # the native engine starts none
    start = workers._start

    def dying(job: workers.Job) -> subprocess.Popen[bytes]:
        process = start(job)
        if job.start:
            process.kill()
        return process

    monkeypatch.setattr(workers, "_start", dying)
    found = data.validate(file, profiles=profiles, across_rows=True, workers=2)
    assert found == expected
    assert json.loads(found[1].model_dump_json())["rows"] == 5_000


@pytest.mark.parametrize("engine", ["python", "native"])
def test_what_only_the_last_part_has_stands_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    if engine == "native":
        pytest.importorskip("ftproviders.data._native")
    monkeypatch.setenv("FTPROVIDERS_DATA_ENGINE", engine)
    lines = [GOOD.replace("Hi", f"Hi {number}") for number in range(600)]
    lines[550] = GOOD.replace("Hi", "Hi " * 300)
    lines[560] = '{"prompt": "a", "completion": "b"}'
    lines[570:572] = ["", " "]
    lines[580] += "\r"
    lines[590] = lines[0]
    lines[591] = lines[1].replace("Yo", "No")
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    shapes = frozenset({"messages", "prompt-completion"})
    profiles = {"any": DataProfile(row_shapes=shapes, maximum_row_tokens=500)}
    one, *others = [
        data.validate(path, profiles=profiles, across_rows=True, workers=count, count_tokens=len_of)
        for count in (1, 2, 3)
    ]
    assert [(issue.line, issue.rule) for issue in one[1].issues] == [
        (0, "file.bom"),
        (0, "file.last_newline"),
        (551, "row.tokens"),
        (561, "file.mixed_shapes"),
        (571, "file.blank_lines"),
        (581, "file.crlf"),
        (591, "rows.duplicate"),
        (592, "rows.conflict"),
    ]
    assert others == [one, one]
    some = {"any": profiles["any"], "chat": DataProfile(minimum_training_rows=1)}
    for most in (0, 1, 4):
        one, *others = [
            data.validate(path, profiles=some, max_issues=most, workers=count)[1]
            for count in (1, 2, 3)
        ]
        assert others == [one, one]
        assert len(one.issues) + one.issues_truncated == 6


def test_rows_behind_a_line_that_is_too_long_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (stream, engine_module):
        monkeypatch.setattr(module, "MAX_ROW_BYTES", 300)
    monkeypatch.setattr(stream, "_CHUNK_BYTES", 120)
    monkeypatch.setattr(stream, "_BLOCK_BYTES", 100)
    lines = [GOOD.replace("Hi", "Hi " * count) for count in (9, 400, 1, 90, 200, 9, 400, 1)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    for count in (1, 2, 3):
        report = data.validate(path, profiles={"any": DataProfile()}, across_rows=True,
                               workers=count)[1]  # fmt: skip
        assert [(issue.line, issue.rule) for issue in report.issues] == [
            (2, "json.length"), (4, "json.length"), (5, "json.length"), (6, "rows.duplicate"),
            (7, "json.length"), (8, "rows.duplicate"),
        ]  # fmt: skip


def len_of(row: object) -> int:
    return len(json.dumps(row))
