"""Rig of the contract suite over the emulated data plane, by any of its routes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.azure_openai import PROVIDER
from ftproviders.provider import ProviderInfo, ProviderSettings
from ftproviders.schema.job import FileRef, JobRef, JobStatus
from ftproviders.schema.value import JsonValue
from ftproviders.testing.azure_openai.call import AzureBehaviour
from ftproviders.testing.azure_openai.emulator import AzureOpenAIEmulator
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai.rig import OpenAIRig

__all__ = ["AzureOpenAIRig"]

_MANY = 10_000
_TICK_SECONDS = 4.0
_EXTRAS = ("prompt_loss_weight", "l2_multiplier")
_FIELDS = ("max_episode_steps", "tools")


class AzureOpenAIRig(OpenAIRig):
    """The adapter ``azure-openai`` over an emulator of its own.

    Jobs are short and every request takes some time, so that a job that was just made is running
    and has done a step when the next request comes: this service pauses no other.

    Args:
        folder: For data files and the adapter's state.
        emulator: The server; default a new one by a fake clock, with small pages.
        api_version: ``v1``, ``preview`` or a date: by which route the adapter calls.
    """

    info: ProviderInfo = PROVIDER
    target = "ftproviders.adapters.azure_openai:PROVIDER"
    base_model = "gpt-4.1-mini-2025-04-14"
    statuses: Mapping[str, JobStatus] = {
        "created": JobStatus.PENDING,
        "pending": JobStatus.PENDING,
        "validating_files": JobStatus.VALIDATING,
        "queued": JobStatus.QUEUED,
        "running": JobStatus.RUNNING,
        "pausing": JobStatus.PAUSED,
        "paused": JobStatus.PAUSED,
        "resuming": JobStatus.PAUSED,
        "succeeded": JobStatus.SUCCEEDED,
        "failed": JobStatus.FAILED,
        "cancelled": JobStatus.CANCELLED,
        "canceled": JobStatus.CANCELLED,
    }
    options: Mapping[str, JsonValue] = {
        **OpenAIRig.options,
        "training_type": "globalStandard",
        "extra_hyperparameters": {"prompt_loss_weight": 0.05},
        "extra_method_fields": {"max_episode_steps": 4},
    }

    def __init__(
        self,
        folder: Path,
        emulator: AzureOpenAIEmulator | None = None,
        *,
        api_version: str = "v1",
    ) -> None:
        clock = FakeClock()
        made = emulator or AzureOpenAIEmulator(
            clock=clock,
            behaviour=AzureBehaviour(
                page_size=3,
                late_events_seconds=5.0,
                validating_seconds=0.5,
                queued_seconds=0.5,
                running_seconds=240.0,
                jobs_limit=_MANY,
                files_limit=_MANY,
            ),
            tick_seconds=_TICK_SECONDS,
        )
        super().__init__(folder, made)
        self.clock = clock
        self.api_version = api_version

    @override
    def settings(self) -> ProviderSettings:
        return self.info.settings_type.model_validate(
            {
                "home": self.folder,
                "cache": self.folder,
                "api_key": SecretStr(self.emulator.api_key),
                "endpoint": self.emulator.root_url,
                "api_version": self.api_version,
            }
        )

    @override
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        body = dict(super().sent(ref))
        body["training_type"] = body.pop("trainingType")
        for option, names in (("extra_hyperparameters", _EXTRAS), ("extra_method_fields", _FIELDS)):
            body[option] = {name: body.pop(name) for name in names if name in body}
        return body

    @override
    def make_foreign_job(self, file: FileRef) -> JobRef:
        body: dict[str, Any] = {
            "model": self.base_model,
            "training_file": file.id,
            "trainingType": "Standard",
        }
        answer = httpx2.post(
            f"{self.emulator.base_url}/fine_tuning/jobs",
            json=body,
            headers={"api-key": self.emulator.api_key},
            trust_env=False,
        )
        job = answer.raise_for_status().json()
        account = self.adapter().public_account()
        return JobRef(provider=self.info.name, account=account, id=job["id"])
