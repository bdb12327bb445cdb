"""The contract, kept by provider local: real training of a tiny model, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.hosting import LocalHostingAdapter
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.provider import missing_modules
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobRef, JobSnapshot, JobSpec, JobStatus, TunedModel
from ftproviders.schema.value import JsonValue
from ftproviders.testing import AdapterContract, HostingContract, HostingRig, Rig
from ftproviders.testing.rig import new_marker
from ftproviders.worker import process
from ftproviders.worker.basemodel import ALIAS
from ftproviders.worker.rundir import RunDirectory
from tests.contract.rigs import ANSWERS, write_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_modules(PROVIDER) is not None, reason="extra `local` is missing"),
]

# Enough for the tiny model to know three rows, told 12 times an epoch, by heart.
BY_HEART = Hyperparameters(n_epochs=2, batch_size=3, learning_rate=0.01, lora_r=16)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the base model."""
    folder = tmp_path_factory.mktemp("tiny-model")
    command = [sys.executable, "-m", "tests.contract.tiny_model", str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    subprocess.run(command, env=environ, check=True, capture_output=True)
    return folder


class LocalRig(Rig):
    info = PROVIDER
    target = "ftproviders.adapters.local:PROVIDER"
    statuses: Mapping[str, JobStatus] = {
        "pending": JobStatus.PENDING,
        "validating": JobStatus.VALIDATING,
        "running": JobStatus.RUNNING,
        "cancelling": JobStatus.CANCELLING,
        "interrupted": JobStatus.PAUSED,
        "paused": JobStatus.PAUSED,
        "disk_full": JobStatus.PAUSED,
        "succeeded": JobStatus.SUCCEEDED,
        "failed": JobStatus.FAILED,
        "cancelled": JobStatus.CANCELLED,
    }
    # Two micro-batches must be of one size.
    values: Mapping[str, int | float | str] = {"batch_size": 4}
    most_reads = 4000

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.folder = folder
        self.base_model = str(base_model)
        template = folder / "template.jinja"
        template.write_text((base_model / "chat_template.jinja").read_text() + "{# ours #}")
        self.options: Mapping[str, JsonValue] = {
            "tuning": "lora",
            "use_rslora": True,
            "use_dora": True,
            "target_modules": "q_proj,v_proj",
            "modules_to_save": "lm_head",
            "lora_bias": "lora_only",
            "bnb_4bit_quant_type": "fp4",
            "bnb_4bit_use_double_quant": False,
            "bnb_4bit_compute_dtype": "fp32",
            "dtype": "fp32",
            "tf32": True,
            "attn_implementation": "eager",
            "gradient_checkpointing": True,
            "chat_template": str(template),
            "assistant_only_loss": False,
            "packing": True,
            "optim": "adafactor",
            "max_grad_norm": 0.5,
            "neftune_noise_alpha": 5.0,
            "eval_strategy": "steps",
            "eval_steps": 3,
            "early_stopping_patience": None,
            "early_stopping_threshold": 0.125,
            "keep_best": False,
            "logging_steps": 2,
            "save_strategy": "steps",
            "save_steps": 2,
            "checkpoints": 2,
            "merge": True,
            "trackers": "tensorboard",
            "guide": {"logging_strategy": "steps"},
            "processes": 1,
            "nodes": 1,
            "parallel": "none",
            "rendezvous": None,
        }
        self.options_sent: Mapping[str, JsonValue] = {"chat_template": template.read_text()}
        self.locks: list[int] = []

    @property
    @override
    def listed_model(self) -> str:
        return ALIAS

    @override
    def make_adapter(self) -> LocalTrainingAdapter:
        return LocalTrainingAdapter(LocalSettings(home=self.folder, cache=self.folder, threads=1))

    @override
    def training_file(self, method: Method) -> Path:
        path = self.folder / f"{method.value}.jsonl"
        return path if path.exists() else write_rows(path, method)

    def run_of(self, ref: JobRef) -> RunDirectory:
        return RunDirectory(self.folder / "local" / "runs" / ref.id)

    @override
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        job = self.run_of(ref).job()
        files = {f"{file['purpose']}_file": file["id"] for file in job["files"]}
        return {**job["settings"], **job, **files}

    @override
    def snapshot_with_word(self, word: str) -> JobSnapshot:
        """Write a run of that word by hand; a word of a living run has a holder of its lock."""
        ref = JobRef(provider="local", id=new_marker())
        run = self.run_of(ref)
        run.path.mkdir()
        run.write_job({**self.run_of(self.finished.ref).job(), "submission_id": ref.id})
        written = {"cancelling": "running", "interrupted": "running"}.get(word, word)
        run.write_status({"status": written})
        if word == "cancelling":
            run.request_cancel()
        if word != "interrupted":
            self.locks.append(process.hold(run.lock))
        return self.adapter().retrieve(ref)

    @override
    def before_read(self) -> None:
        time.sleep(0.05)

    @override
    def close(self) -> None:
        super().close()
        for lock in self.locks:
            process.release(lock)


class LocalHostingRig(HostingRig):
    info = PROVIDER
    target = "ftproviders.adapters.local:PROVIDER"
    question = "Where is my parcel now"
    # A server is asked ten times a second, for two minutes and a half.
    most_reads = 1500

    def __init__(self, folder: Path, base_model: Path) -> None:
        self.training = LocalByHeart(folder, base_model)

    @override
    def make_adapter(self) -> LocalHostingAdapter:
        folder = self.training.folder
        return LocalHostingAdapter(LocalSettings(home=folder, cache=folder, threads=1))

    @override
    def model(self) -> TunedModel:
        model = self.training.finished.last.model
        assert model is not None
        return model

    @override
    def expected(self, answer: str) -> bool:
        return answer == ANSWERS[self.question]

    @override
    def before_read(self) -> None:
        time.sleep(0.1)

    @override
    def close(self) -> None:
        super().close()
        self.training.close()


class LocalByHeart(LocalRig):
    @override
    def spec(self, **fields: object) -> JobSpec:  # type: ignore[override]  # passes all through
        return super().spec(**{"hyperparameters": BY_HEART, **fields})

    @override
    def training_file(self, method: Method) -> Path:
        path = super().training_file(method)
        content = path.read_bytes()
        if content.count(b"\n") == len(ANSWERS):
            path.write_bytes(content * 12)
        return path


class TestLocal(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRig]:
        rig = LocalRig(tmp_path_factory.mktemp("local"), tiny)
        yield rig
        rig.close()


class TestLocalHosting(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHostingRig]:
        rig = LocalHostingRig(tmp_path_factory.mktemp("local-hosting"), tiny)
        yield rig
        rig.close()
