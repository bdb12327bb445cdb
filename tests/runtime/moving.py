"""Four providers under one roof: in memory, this machine with a fake worker, emulated OpenAI and
Azure OpenAI.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ftproviders.adapters.azure_openai.adapter import AzureOpenAIAdapter
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.adapters.openai.adapter import OpenAIAdapter
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.provider import TrainingAdapter
from ftproviders.runtime import Session
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobRef, JobSnapshot, JobSpec
from ftproviders.testing.azure_openai import AzureBehaviour, AzureOpenAIEmulator
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.options import MemorySettings
from ftproviders.testing.memory.server import MemoryServer
from ftproviders.testing.openai import Behaviour, OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows

MODEL = "gpt-4.1-mini-2025-04-14"
LOCAL_MODEL = "smollm2-135m"
"""Never loaded: the worker is a fake one."""
WORKER = Path(__file__).parents[1] / "unit" / "local" / "fake_worker.py"
PROVIDERS = ("memory", "local", "openai", "azure-openai")
KNOBS: Mapping[str, int] = {"n_epochs": 2, "batch_size": 4}


class MovingWorld:
    """One machine with four providers; any number of clients, each like a process of its own."""

    def __init__(self, folder: Path, **behaviour: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.clock = FakeClock()
        self.memory = MemoryServer(clock=self.clock)
        self.openai = OpenAIEmulator(clock=self.clock, behaviour=Behaviour(**behaviour))
        self.openai.start()
        self.azure = AzureOpenAIEmulator(clock=self.clock, behaviour=AzureBehaviour(**behaviour))
        self.azure.start()
        self.emulators = {"openai": self.openai, "azure-openai": self.azure}
        self.training = folder / "train.jsonl"
        self.training.write_text(training_rows(Method.SUPERVISED))
        self.validation = folder / "valid.jsonl"
        self.validation.write_text(training_rows(Method.SUPERVISED, count=11))
        self.models = {
            "memory": "memory-small",
            "local": LOCAL_MODEL,
            "openai": MODEL,
            "azure-openai": MODEL,
        }
        self.memory_class: type[MemoryAdapter] = MemoryAdapter
        self._clients: list[FineTuneClient] = []

    def client(self) -> FineTuneClient:
        places = {"home": self.home, "cache": self.folder / "cache"}
        config = Config(**places, config_file=self.folder / "none.toml", settle_seconds=60.0)
        local = LocalSettings(**places, threads=1)
        key, url = SecretStr(self.openai.api_key), self.openai.base_url
        adapters: dict[str, TrainingAdapter] = {
            "memory": self.memory_class(MemorySettings(**places), server=self.memory),
            "local": LocalTrainingAdapter(
                local, program=[sys.executable, "-P", str(WORKER), "succeed"]
            ),
            "openai": OpenAIAdapter(
                OpenAISettings(**places, api_key=key, base_url=url, timeout_seconds=5.0)
            ),
            "azure-openai": AzureOpenAIAdapter(
                AzureOpenAISettings(
                    **places,
                    api_key=SecretStr(self.azure.api_key),
                    endpoint=self.azure.endpoint,
                    timeout_seconds=5.0,
                )
            ),
        }
        session = Session(config, clock=self.clock, adapters=adapters)
        self._clients.append(FineTuneClient(session=session))
        return self._clients[-1]

    def forget(self) -> FineTuneClient:
        """Delete the journal; return a client that begins a new one."""
        for client in self._clients:
            client.close()
        for file in self.home.glob("journal.db*"):
            file.unlink()
        return self.client()

    def spec(self, provider: str, **changes: Any) -> JobSpec:
        given: dict[str, Any] = {
            "provider": provider,
            "base_model": self.models[provider],
            "training_file": str(self.training),
            "validation_file": str(self.validation),
            "hyperparameters": KNOBS,
            "seed": 7,
            "suffix": "kettle",
        }
        return JobSpec.model_validate({**given, **changes})

    def finished(self, provider: str, **changes: Any) -> JobRef:
        """Submit a job and see it through."""
        client = self.client()
        job = client.submit(client.plan(self.spec(provider, **changes)))
        return self.ended(client, job.ref).ref

    def ended(self, client: FineTuneClient, ref: JobRef) -> JobSnapshot:
        end = time.monotonic() + 60
        job = client.job(ref)
        while not job.refresh().status.terminal:
            assert time.monotonic() < end, job.snapshot
            if ref.provider == "local":
                time.sleep(0.02)  # a process of its own
            self.clock.advance(60)
        assert job.status.value == "succeeded", job.snapshot.error
        return job.snapshot

    def arrived(self, ref: JobRef) -> dict[str, Any]:
        """Return what a provider was really asked for, by our names; with what is in its file."""
        if ref.provider == "memory":
            job = next(j for j in self.memory.jobs() if j["id"] == ref.id)
            knobs = dict(job["hyperparameters"])
            knobs["batch_size"] = knobs.pop("rows_per_step", None)
            files = json.loads(self.memory.request("files", {}))["data"]
            digest = next(f["sha256"] for f in files if f["id"] == job["training_file"])
            return {**knobs, "seed": job["seed"], "suffix": job["suffix"], "digest": digest}
        if ref.provider == "local":
            path = self.home / "local" / "runs" / ref.id / "job.json"
            document = json.loads(path.read_text())
            spec = document["spec"]
            (digest,) = [f["sha256"] for f in document["files"] if f["purpose"] == "training"]
            said = {name: spec[name] for name in ("seed", "suffix")}
            return {**spec["hyperparameters"], **said, "digest": digest}
        server = self.emulators[ref.provider]
        bodies = [r.body for r in server.requests_of("createFineTuningJob")]
        ids = [job["id"] for job in server.jobs()]
        body: Any = bodies[ids.index(ref.id)]
        (name,) = [f["filename"] for f in server.files() if f["id"] == body["training_file"]]
        knobs = body["method"]["supervised"]["hyperparameters"]
        return {**knobs, "seed": body["seed"], "suffix": body["suffix"], "file": name}

    def count(self, provider: str) -> int:
        if provider == "memory":
            return len(self.memory.jobs())
        if provider in self.emulators:
            return len(self.emulators[provider].jobs())
        return len(list((self.home / "local" / "runs").glob("[!.]*")))

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for server in self.emulators.values():
            server.close()
