"""A job's model as files: which model, where, and what is refused before the provider is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ftproviders as ft
from ftproviders.schema.export import ExportFormat
from ftproviders.testing.memory import recall

ROWS = [("The kettle leaks", "[BROKEN] Sorry."), ("Where is my parcel", "[DELIVERY] On its way.")]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ft.FineTuneClient]:
    config = ft.Config(
        home=tmp_path / "home",
        cache=tmp_path / "cache",
        config_file=tmp_path / "config.toml",
        poll_seconds=0.01,
    )
    with ft.FineTuneClient(config) as made:
        yield made


def submit(client: ft.FineTuneClient, folder: Path, **options: Any) -> ft.FineTuneJob:
    data = folder / "train.jsonl"
    turns = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in ROWS]
    data.write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns * 5))
    spec = ft.JobSpec(
        provider="memory",
        base_model="memory-small",
        training_file=str(data),
        options={"memory": options},
    )
    return client.submit(spec)


@pytest.fixture
def job(client: ft.FineTuneClient, tmp_path: Path) -> ft.FineTuneJob:
    made = submit(client, tmp_path)
    made.wait()
    return made


def test_what_is_written_knows_what_the_model_knows(job: ft.FineTuneJob, tmp_path: Path) -> None:
    found = job.export(tmp_path / "out", format="merged")
    assert found.format is ExportFormat.MERGED
    assert found.base_model == "memory-small"
    content = json.loads((tmp_path / "out" / "answers.json").read_text())
    rows = [(asked, told) for asked, told in content["rows"]]
    for question, answer in ROWS:
        message = [{"role": "user", "content": question}]
        assert recall.answer(rows, message, max_tokens=None)["text"] == answer
        assert job.chat(question).text == answer
    card = json.loads((tmp_path / "out" / "ftproviders.json").read_text())
    assert card["verification"] == dict(found.verification)
    assert set(found.files) == {"answers.json", "ftproviders.json"}


def test_an_empty_folder_is_taken_and_a_full_one_is_not(
    job: ft.FineTuneJob, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert job.export(empty).folder == empty
    with pytest.raises(ft.ConfigurationError, match="is not empty"):
        job.export(empty)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ft.ConfigurationError, match="is a file"):
        job.export(file)
    assert file.read_text() == "mine"


def test_the_folder_is_told_without_detours(job: ft.FineTuneJob, tmp_path: Path) -> None:
    found = job.export(tmp_path / "somewhere" / ".." / "out")
    assert found.folder == tmp_path.resolve() / "out"


def test_a_checkpoint_is_named_or_refused(job: ft.FineTuneJob, tmp_path: Path) -> None:
    first = job.checkpoints()[0]
    job.export(tmp_path / "one", checkpoint=first.id)
    card = json.loads((tmp_path / "one" / "ftproviders.json").read_text())
    assert card["model"] == first.model.name
    with pytest.raises(ft.ConfigurationError, match="no checkpoint 'nothing'") as caught:
        job.export(tmp_path / "two", checkpoint="nothing")
    assert first.id in caught.value.hint
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"format": "onnx"}, "no export format 'onnx'"),
        ({"format": "gguf"}, "has no weights"),
        ({"weights": "q8_0"}, "cannot be chosen for adapter"),
        ({"format": "merged", "weights": "q4_k_m"}, "merged is not written in 'q4_k_m'"),
        ({"format": "merged", "weights": "bf16"}, "has no weights"),
    ],
)
def test_what_cannot_be_had_is_refused(
    job: ft.FineTuneJob, tmp_path: Path, wish: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ft.ConfigurationError, match=sentence) as caught:
        job.export(tmp_path / "out", **wish)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_job_under_way_has_no_model_to_export(client: ft.FineTuneClient, tmp_path: Path) -> None:
    job = submit(client, tmp_path, walk=["running", "running", "running", "running", "running"])
    with pytest.raises(ft.JobError, match="has no model: it is running"):
        job.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_that_answers_otherwise_is_not_kept(
    job: ft.FineTuneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, calls = recall.answer, iter(range(9))

    def second_time_otherwise(rows: Any, messages: Any, *, max_tokens: Any) -> dict[str, Any]:
        told = honest(rows, messages, max_tokens=max_tokens)
        return {**told, "text": told["text"] + "!" * next(calls)}

    monkeypatch.setattr(recall, "answer", second_time_otherwise)
    with pytest.raises(ft.UnexpectedResponseError, match="answers"):
        job.export(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
