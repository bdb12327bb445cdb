from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.options import LocalOptions, LocalSettings
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobSpec

WORKER = Path(__file__).with_name("fake_worker.py")
ROW = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


def until(truth: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


class Rig:
    """An adapter over a folder of its own, with a fake worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = LocalSettings(home=folder / "home", cache=folder / "cache")
        self.base = folder / "base"
        self.base.mkdir(exist_ok=True)
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (self.base / name).write_text("{}")
        self.data = folder / "train.jsonl"
        self.data.write_text(ROW)
        self.spec = JobSpec(
            provider="local", base_model=str(self.base), training_file=str(self.data)
        )

    def adapter(self, mode: str = "succeed", **settings: object) -> LocalTrainingAdapter:
        chosen = self.settings.model_copy(update=settings)
        return LocalTrainingAdapter(chosen, program=[sys.executable, "-P", str(WORKER), mode])

    def prepared(self) -> PreparedFile:
        content = self.data.read_bytes()
        return PreparedFile(
            path=self.data,
            name="train.0123456789abcdef.jsonl",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
        )

    def uploaded(self) -> FileRef:
        return self.adapter().upload(self.prepared(), purpose="training", submission_id="ft1")

    def create(self, mode: str = "succeed", name: str = "ft1", **settings: object) -> JobRef:
        return self.adapter(mode, **settings).create(
            self.spec, options=LocalOptions(), files=[self.uploaded()], submission_id=name
        )

    def run(self, name: str = "ft1") -> Path:
        return self.settings.home / "local" / "runs" / name

    def ended(self, ref: JobRef) -> JobSnapshot:
        """Wait until the worker has gone, and return the job."""
        adapter = self.adapter()
        until(
            lambda: adapter.retrieve(ref).status.value not in ("pending", "validating", "running")
        )
        return adapter.retrieve(ref)

    def working(self, ref: JobRef) -> None:
        """Wait until the worker is in the middle of its work."""
        until(lambda: any(e.message == "working" for e in self.adapter().events(ref)))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)
