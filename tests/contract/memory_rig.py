"""The rigs of the in-memory provider; also what the planted lies are built on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from typing_extensions import override

from ftproviders.provider import TrainingAdapter
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobStatus, TunedModel
from ftproviders.schema.value import JsonValue
from ftproviders.testing.memory import PROVIDER
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.faults import Fault, FaultKind
from ftproviders.testing.memory.hosting import MemoryHosting
from ftproviders.testing.memory.options import MemorySettings
from ftproviders.testing.memory.server import MemoryServer
from ftproviders.testing.rig import HostingRig, Rig
from tests.contract.rigs import ANSWERS, write_rows

KEY = "planted-key-4f1b7c"


class MemoryRig(Rig):
    info = PROVIDER
    target = "ftproviders.testing.memory:PROVIDER"
    base_model = "memory-small"
    statuses: Mapping[str, JobStatus] = {
        "validating": JobStatus.VALIDATING,
        "queued": JobStatus.QUEUED,
        "running": JobStatus.RUNNING,
        "paused": JobStatus.PAUSED,
        "cancelling": JobStatus.CANCELLING,
        "succeeded": JobStatus.SUCCEEDED,
        "failed": JobStatus.FAILED,
        "cancelled": JobStatus.CANCELLED,
    }
    options: Mapping[str, JsonValue] = {"priority": "high", "walk": ["queued", "succeeded"]}
    secret = KEY
    crowd_size = 4
    adapter_class: type[MemoryAdapter] = MemoryAdapter

    def __init__(self, folder: Path, server: MemoryServer | None = None) -> None:
        self.folder = folder
        self.server = server or MemoryServer(api_key=KEY)

    @override
    def make_adapter(self) -> TrainingAdapter:
        settings = MemorySettings(home=self.folder, cache=self.folder, api_key=SecretStr(KEY))
        return self.adapter_class(settings, server=self.server)

    @override
    def training_file(self, method: Method) -> Path:
        path = self.folder / f"{method.value}.jsonl"
        return path if path.exists() else write_rows(path, method)

    @override
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        creates = self.server.requests("create")
        order = [job["id"] for job in self.server.jobs()]
        body = dict(creates[order.index(ref.id)].body)
        knobs = body.pop("hyperparameters", {})
        assert isinstance(knobs, dict)
        return {**body, **knobs}

    @override
    def snapshot_with_word(self, word: str) -> JobSnapshot:
        adapter = self.make_adapter()
        ref = self.submit(adapter, options={"walk": [word]}).ref
        return adapter.retrieve(ref)

    @override
    def make_foreign_job(self, file: FileRef) -> JobRef:
        body = {"model": self.base_model, "method": "supervised", "training_file": file.id}
        self.server.request("create", body, api_key=KEY)
        return JobRef(provider="memory", id=self.server.jobs()[-1]["id"])

    @override
    def adapter_with_lying_filter(self) -> TrainingAdapter:
        self.server.inject(
            Fault("find", kind=FaultKind.LYING_FILTER, times=None),
            Fault("jobs", kind=FaultKind.LYING_FILTER, times=None),
        )
        return self.adapter()


class MemoryHostingRig(HostingRig):
    info = PROVIDER
    target = "ftproviders.testing.memory:PROVIDER"
    secret = KEY
    question = "the kettle leaks"
    adapter_class: type[MemoryHosting] = MemoryHosting

    def __init__(self, folder: Path) -> None:
        self.training = MemoryRig(folder)

    @override
    def make_adapter(self) -> MemoryHosting:
        folder = self.training.folder
        settings = MemorySettings(home=folder, cache=folder, api_key=SecretStr(KEY))
        return self.adapter_class(settings, server=self.training.server)

    @override
    def model(self) -> TunedModel:
        model = self.training.finished.last.model
        assert model is not None
        return model

    @override
    def expected(self, answer: str) -> bool:
        return answer == ANSWERS["My kettle leaks from the lid"]
