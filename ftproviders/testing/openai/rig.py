"""Rigs of the contract suite over the emulator: subclass one, and the adapter is under test."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httpx2
from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.openai import PROVIDER
from ftproviders.provider import HostingAdapter, ProviderInfo, ProviderSettings, TrainingAdapter
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobSpec, JobStatus, TunedModel
from ftproviders.schema.value import JsonValue
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai.call import Behaviour
from ftproviders.testing.openai.emulator import OpenAIEmulator
from ftproviders.testing.openai.faults import WireFault, WireFaultKind
from ftproviders.testing.rig import HostingRig, Rig, Submitted

__all__ = ["OpenAIHostingRig", "OpenAIRig", "training_rows"]

_ROWS = 12
_READ_EVERY_SECONDS = 15.0
_MODELS: Mapping[Method, str] = {Method.REINFORCEMENT: "o4-mini-2025-04-16"}
_GRADER: Mapping[str, JsonValue] = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}


def training_rows(method: Method, count: int = _ROWS) -> str:
    """Return the text of a training file that the emulator accepts for `method`.

    Args:
        method: supervised, dpo or reinforcement.
        count: Rows; a job needs ten.
    """
    return "".join(json.dumps(_row(method, number)) + "\n" for number in range(count))


def _row(method: Method, number: int) -> dict[str, object]:
    asked = [{"role": "user", "content": f"What is on shelf number {number}?"}]
    told = [{"role": "assistant", "content": f"answer-{number}"}]
    if method is Method.DPO:
        return {
            "input": {"messages": asked},
            "preferred_output": told,
            "non_preferred_output": [{"role": "assistant", "content": "I do not know"}],
        }
    if method is Method.REINFORCEMENT:
        return {"messages": asked, "answer": f"answer-{number}"}
    return {"messages": asked + told}


class OpenAIRig(Rig):
    """The adapter ``openai`` over an emulator of its own.

    Args:
        folder: For data files and the adapter's state.
        emulator: The server; default a new one by a fake clock, with small pages.
    """

    info: ProviderInfo = PROVIDER
    target = "ftproviders.adapters.openai:PROVIDER"
    base_model = "gpt-4.1-mini-2025-04-14"
    statuses: Mapping[str, JobStatus] = {
        "validating_files": JobStatus.VALIDATING,
        "queued": JobStatus.QUEUED,
        "running": JobStatus.RUNNING,
        "pausing": JobStatus.PAUSED,
        "paused": JobStatus.PAUSED,
        "succeeded": JobStatus.SUCCEEDED,
        "failed": JobStatus.FAILED,
        "cancelled": JobStatus.CANCELLED,
    }
    options: Mapping[str, JsonValue] = {
        "metadata": {"team": "search"},
        "wandb": {"project": "kettles", "name": "first", "tags": ["a"]},
        "grader": dict(_GRADER),
        "reasoning_effort": "low",
        "compute_multiplier": 1.5,
        "eval_interval": 2,
        "eval_samples": 3,
    }
    crowd_size = 4

    def __init__(self, folder: Path, emulator: OpenAIEmulator | None = None) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.emulator = emulator or OpenAIEmulator(
            clock=self.clock, behaviour=Behaviour(page_size=3, late_events_seconds=5.0)
        )
        self.emulator.start()
        self.secret = self.emulator.api_key

    def settings(self) -> ProviderSettings:
        """Return the adapter's settings; override when an adapter needs more."""
        return self.info.settings_type.model_validate(
            {
                "home": self.folder,
                "cache": self.folder,
                "api_key": SecretStr(self.emulator.api_key),
                "base_url": self.emulator.base_url,
            }
        )

    @override
    def make_adapter(self) -> TrainingAdapter:
        return cast("TrainingAdapter", _load(self.info.training)(self.settings()))

    @override
    def training_file(self, method: Method) -> Path:
        path = self.folder / f"{method.value}.jsonl"
        if not path.exists():
            path.write_text(training_rows(method), encoding="utf-8")
        return path

    @override
    def spec(self, *, method: Method | None = None, **fields: Any) -> JobSpec:
        chosen = method or self.method
        given: dict[str, Any] = {"base_model": _MODELS.get(chosen, self.base_model), **fields}
        if chosen is Method.REINFORCEMENT:
            given.setdefault("validation_file", str(self.validation_file(chosen)))
        return super().spec(method=chosen, **given)

    @override
    def needed_options(self, method: Method) -> Mapping[str, JsonValue]:
        return {"grader": dict(_GRADER)} if method is Method.REINFORCEMENT else {}

    @override
    def submit(
        self,
        adapter: TrainingAdapter,
        spec: JobSpec | None = None,
        *,
        options: Mapping[str, JsonValue] | None = None,
        submission_id: str | None = None,
    ) -> Submitted:
        if spec is None and "grader" in (options or {}):
            spec = self.spec(method=Method.REINFORCEMENT)
        return super().submit(adapter, spec, options=options, submission_id=submission_id)

    @override
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        made = [
            request
            for request in self.emulator.requests_of("createFineTuningJob")
            if request.outcome == "ok" or request.outcome.startswith("after")
        ]
        place = [job["id"] for job in self.emulator.jobs()].index(ref.id)
        return _flat(made[place].body)

    @override
    def snapshot_with_word(self, word: str) -> JobSnapshot:
        adapter = self.adapter()
        ref = self.submit(adapter).ref
        self.emulator.set_status(ref.id, word)
        return adapter.retrieve(ref)

    @override
    def make_foreign_job(self, file: FileRef) -> JobRef:
        body = {"model": self.base_model, "training_file": file.id}
        answer = httpx2.post(
            f"{self.emulator.base_url}/fine_tuning/jobs",
            json=body,
            headers={"Authorization": f"Bearer {self.emulator.api_key}"},
            trust_env=False,
        )
        job = answer.raise_for_status().json()
        account = self.adapter().public_account()
        return JobRef(provider=self.info.name, account=account, id=job["id"])

    @override
    def adapter_with_lying_filter(self) -> TrainingAdapter:
        self.emulator.faults.inject(
            *(
                WireFault(operation, kind=WireFaultKind.LYING_FILTER, times=None)
                for operation in ("listPaginatedFineTuningJobs", "listFiles")
            )
        )
        return self.adapter()

    @override
    def before_read(self) -> None:
        self.emulator.advance(_READ_EVERY_SECONDS)

    @override
    def close(self) -> None:
        super().close()
        self.emulator.close()


class OpenAIHostingRig(HostingRig):
    """The hosting side of ``openai``: a tuned model answers by its name.

    Args:
        folder: For data files and the adapter's state.
        emulator: The server; default a new one.
    """

    info: ProviderInfo = PROVIDER
    target = "ftproviders.adapters.openai:PROVIDER"
    question = "What is on shelf number 7?"

    def __init__(self, folder: Path, emulator: OpenAIEmulator | None = None) -> None:
        self.training = OpenAIRig(folder, emulator)
        self.secret = self.training.secret

    @override
    def make_adapter(self) -> HostingAdapter:
        return cast("HostingAdapter", _load(self.info.hosting)(self.training.settings()))

    @override
    def model(self) -> TunedModel:
        model = self.training.finished.last.model
        if model is None:
            raise AssertionError("the finished job has no model")
        return model

    @override
    def expected(self, answer: str) -> bool:
        return answer == "answer-7"

    @override
    def close(self) -> None:
        super().close()
        self.training.close()


def _load(target: str | None) -> Any:
    if target is None:
        raise LookupError("this provider has no such adapter")
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _flat(body: Any) -> dict[str, JsonValue]:
    """Put everything that a create request states beside each other, without our mark."""
    sent = {name: value for name, value in body.items() if name not in ("method", "integrations")}
    method: Mapping[str, Any] = body.get("method") or {"type": "supervised"}
    inner: dict[str, Any] = {**(method.get(method["type"]) or {})}
    sent |= inner.pop("hyperparameters", None) or {}
    sent |= {"method": method["type"], **inner}
    for integration in body.get("integrations") or ():
        sent[integration["type"]] = integration[integration["type"]]
    if "metadata" in sent:
        mine = {k: v for k, v in sent["metadata"].items() if not k.startswith("ftproviders")}
        sent["metadata"] = mine
    return sent
