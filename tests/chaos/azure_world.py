"""Chaos over both planes of an emulated Azure OpenAI resource: from the upload to undeployed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ftproviders.testing import FakeClock
from ftproviders.testing.azure_openai import (
    ArmEmulator,
    ArmFault,
    AzureBehaviour,
    AzureOpenAIEmulator,
    HostingBehaviour,
    Resource,
)
from ftproviders.testing.openai import WireFault
from tests.chaos.openai_world import OpenAIWorld
from tests.chaos.worlds import LagPoint, PlannedFault, World, lag_points

__all__ = ["AzureWorld"]

_MODEL = "gpt-4.1-mini-2025-04-14"
_TIMEOUT_SECONDS = 4.0
_ARM = "arm:"
_NAME = "chaos"
_NOT_THERE = 3


class AzureWorld(World):
    """A job is submitted and waited for, its model deployed, asked, and undeployed.

    One clock moves one second with every request to either plane, so that each run asks the same
    requests in the same order.
    """

    name = "azure-openai"
    job_file = (
        f"provider: azure-openai\nbase_model: {_MODEL}\ntraining_file: train.jsonl\n"
        "hyperparameters: {n_epochs: 2}\n"
    )
    secret = "chaos0f0c1e7a9b3d4c2e8f6a5d41"
    faults = OpenAIWorld.faults
    lags = lag_points("reset", "timeout", short=0.2, long=3600.0)
    order: ClassVar[Sequence[str]] = ()
    """The requests of a way without faults, which say on what plane each of them is."""

    def __init__(self, folder: Path, *, lagging: bool = False) -> None:
        super().__init__(folder, lagging=lagging)
        tick = 0.0 if lagging else 1.0
        clock = None if lagging else FakeClock(datetime.now(UTC))
        swift = HostingBehaviour(provisioning_seconds=3, silent_seconds=3, deleting_seconds=3)
        self.resource = Resource(folder=folder / "resource", clock=clock, behaviour=swift)
        self.arm = ArmEmulator(self.resource, folder=folder, tick_seconds=tick)
        brief = AzureBehaviour(validating_seconds=2, queued_seconds=2, running_seconds=3)
        self.plane = AzureOpenAIEmulator(
            folder / "server",
            clock=self.resource.clock,
            tick_seconds=tick,
            api_key=self.secret,
            behaviour=brief,
            resource=self.resource,
            identity=self.arm.identity,
        )
        self.arm.on_kill = self.plane.on_kill = self._kill
        self.arm.start()
        self.plane.start()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    @override
    def steps(self) -> int:
        return 4

    @override
    def step(self, number: int) -> int:
        if number == 0:
            return self.submit()
        if number == 1:
            return self.run("deploy", self._job(), "--name", _NAME, "--wait", "--yes")
        if number == 2:
            return self.run("chat", f"azure-openai:{_NAME}", "question 3")
        code = self.run("undeploy", f"azure-openai:{_NAME}", "--yes")
        # Carried out before its process was killed: the next one says that there is none.
        gone = code == _NOT_THERE and not self.resource.deployments
        return 0 if gone and "There is no deployment" in self.last_words else code

    def _job(self) -> str:
        (record,) = [record for record in self.journal_records() if record.ref is not None]
        return str(record.ref)

    @override
    def inject(self, planned: PlannedFault, *, nth: int) -> None:
        managed = self.order[nth - 1].startswith(_ARM)
        same = sum(one.startswith(_ARM) == managed for one in self.order[:nth])
        seconds = -7200.0 if planned.kind == "clock_skew" else 0.0
        given = {"kind": planned.kind, "when": planned.when, "nth": same, "seconds": seconds}
        if managed:
            self.arm.faults.inject(ArmFault("*", **given))
        else:
            self.plane.faults.inject(WireFault("*", **given))

    @override
    def inject_lag(self, point: LagPoint) -> None:
        create = "createFineTuningJob"
        self.plane.faults.inject(
            WireFault(create, kind="list_lag", seconds=point.lag_seconds),
            WireFault(create, kind=point.kind, when="after"),
        )

    @override
    def operations(self) -> list[str]:
        asked = [(r.at, r.operation or r.path) for r in self.plane.requests]
        asked += [(r.at, f"{_ARM}{r.operation or r.path}") for r in self.arm.requests]
        order = [operation for _, operation in sorted(asked, key=lambda one: one[0])]
        type(self).order = type(self).order or order
        return order

    @override
    def firings(self) -> int:
        return len(self.plane.faults.firings) + len(self.arm.faults.firings)

    @override
    def job_ids(self) -> list[str]:
        return [job["id"] for job in self.plane.jobs()]

    @override
    def stray_uploads(self) -> int:
        ours = [file for file in self.plane.files() if file["purpose"] == "fine-tune"]
        return max(len(ours) - 1, 0)

    @override
    def orphans(self) -> int:
        return len(self.resource.deployments)

    @override
    def leaked_keys(self) -> int:
        token = self.arm.identity.token("anybody").partition(".")[0].encode()
        files = [path for path in (self.folder / "home").rglob("*") if path.is_file()]
        return super().leaked_keys() + sum(token in path.read_bytes() for path in files)

    @override
    def pass_the_lag(self, seconds: float) -> None:
        self.plane.advance(seconds)

    @override
    def settings(self) -> dict[str, str]:
        return {
            **self.plane.environment,
            **self.arm.environment,
            "FTPROVIDERS_AZURE_OPENAI_TIMEOUT_SECONDS": str(_TIMEOUT_SECONDS),
        }

    @override
    def close(self) -> None:
        self.plane.close()
        self.arm.close()
