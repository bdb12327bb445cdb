"""A server, an adapter and one uploaded file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef, JobRef, JobSpec
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.options import MemoryOptions, MemorySettings
from ftproviders.testing.memory.server import MemoryServer

ANSWERS = {"My kettle leaks": "kettle-leak", "Where is my parcel": "parcel-where"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> MemoryServer:
    return MemoryServer(clock=clock)


@pytest.fixture
def settings(tmp_path: Path) -> MemorySettings:
    return MemorySettings(home=tmp_path / "home", cache=tmp_path / "cache")


@pytest.fixture
def adapter(server: MemoryServer, settings: MemorySettings) -> MemoryAdapter:
    return MemoryAdapter(settings, server=server)


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedFile:
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
        for q, a in ANSWERS.items()
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PreparedFile(
        path=path,
        name=f"train.{digest[:16]}.jsonl",
        sha256=digest,
        bytes=path.stat().st_size,
    )


@pytest.fixture
def create(prepared: PreparedFile) -> Callable[..., JobRef]:
    def make(adapter: MemoryAdapter, submission_id: str = "ft-one", **options: object) -> JobRef:
        file = upload(adapter, prepared, submission_id)
        spec = JobSpec(
            provider="memory", base_model="memory-small", training_file=str(prepared.path)
        )
        return adapter.create(
            spec,
            options=MemoryOptions.model_validate(options),
            files=[file],
            submission_id=submission_id,
        )

    return make


def upload(adapter: MemoryAdapter, prepared: PreparedFile, submission_id: str) -> FileRef:
    return adapter.upload(prepared, purpose="training", submission_id=submission_id)


def words(adapter: MemoryAdapter, ref: JobRef, reads: int) -> Sequence[str]:
    return [adapter.retrieve(ref).raw_status for _ in range(reads)]
