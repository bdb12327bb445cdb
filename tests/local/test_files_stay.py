"""Files that were submitted before serve further jobs, for either purpose, and never change."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.client import FineTuneClient, FineTuneJob
from ftproviders.config import Config
from ftproviders.runtime import Session
from ftproviders.schema.job import FileRef, JobSpec
from tests.local.conftest import ANSWERS, Bench, chat

WORKER = Path(__file__).parents[1] / "unit" / "local" / "fake_worker.py"


def written(path: Path, *, answers: int) -> Path:
    rows = [chat(q, a) for q, a in list(ANSWERS.items())[:answers]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def client(bench: Bench) -> FineTuneClient:
    config = Config(
        home=bench.settings.home,
        cache=bench.settings.cache,
        config_file=bench.folder / "config.toml",
    )
    program = [sys.executable, "-P", str(WORKER), "succeed"]
    adapter = LocalTrainingAdapter(bench.settings, program=program)
    return FineTuneClient(session=Session(config, adapters={"local": adapter}))


def submitted(
    client: FineTuneClient, bench: Bench, training: Path, validation: Path, *, epochs: int = 1
) -> FineTuneJob:
    spec = JobSpec(
        provider="local",
        base_model=str(bench.base),
        training_file=str(training),
        validation_file=str(validation),
        hyperparameters={"n_epochs": epochs},
    )
    return client.submit(spec)


def contents(bench: Bench, job: FineTuneJob) -> list[str]:
    run = bench.adapter.runs.at(job.ref.id)
    return [run.data(purpose).read_text() for purpose in ("training", "validation")]


def test_the_same_files_serve_further_jobs(client: FineTuneClient, bench: Bench) -> None:
    training = written(bench.folder / "t.jsonl", answers=4)
    validation = written(bench.folder / "v.jsonl", answers=2)
    jobs = [submitted(client, bench, training, validation, epochs=n) for n in (1, 2, 3)]

    wanted = [training.read_text(), validation.read_text()]
    assert [contents(bench, job) for job in jobs] == [wanted] * 3
    kept = list((bench.settings.home / "local" / "files").glob("*.jsonl"))
    assert len(kept) == 2
    for file in kept:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.stem


def test_one_file_can_be_for_both(client: FineTuneClient, bench: Bench) -> None:
    both = written(bench.folder / "t.jsonl", answers=4)
    job = submitted(client, bench, both, both)

    assert contents(bench, job) == [both.read_text()] * 2


def test_what_is_there_is_never_written_over(bench: Bench) -> None:
    file: FileRef = bench.request({}, {})["files"][0]
    target = bench.folder / "taken.jsonl"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        bench.adapter.store.give(file, target)

    assert target.read_text() == "mine"
