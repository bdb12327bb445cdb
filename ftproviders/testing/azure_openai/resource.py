"""One Azure OpenAI resource as its two planes see it: deployments, and what they serve.

The management plane (`arm`) makes, changes and deletes deployments here; the data plane asks
`Resource.answering` which model a deployment serves, and tells through `Resource.lookups` which
tuned models and checkpoints there are. Nothing here knows HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftproviders.testing.memory.store import Store, Transaction
from ftproviders.testing.openai.clocks import Clock, SteerableClock

__all__ = ["HostingBehaviour", "Resource", "TunedLookup"]

TunedLookup = Callable[[str], str | None]
"""Name of a tuned model or checkpoint -> the base model that it was tuned from; None = unknown."""

_DAY_SECONDS = 86_400.0
_KIND = "deployment"


@dataclass(frozen=True)
class HostingBehaviour:
    """How the emulated service hosts; times in seconds of its clock."""

    provisioning_seconds: float = 60.0
    """From the request until the management plane says Succeeded."""
    silent_seconds: float = 30.0
    """From Succeeded until the data plane answers: the real service is not ready at once."""
    deleting_seconds: float = 10.0
    """From the request to delete until the deployment is gone."""
    release_seconds: float = 0.0
    """How long the quota of a deleted deployment stays taken: 15 to 20 s at the real service."""
    quota: int = 1000
    """Thousands of tokens a minute over all deployments."""
    deployments_limit: int = 10
    """Tuned deployments of one resource (quotas and limits, 2026-02)."""
    page_size: int = 10
    """Deployments in one page of the list."""
    developer_seconds: float = _DAY_SECONDS
    """A deployment of the Developer tier is removed after this long, used or not."""
    idle_seconds: float = 15 * _DAY_SECONDS
    """Another is removed after this long without a chat."""


class Resource:
    """One resource: its name, where it is, its deployments.

    Each call is a transaction of its own. The lookups of `tuned` are called outside of it, so that
    a data plane may ask `answering` in the middle of a transaction of its own store.

    Args:
        name: Name of the resource (account), part of its address.
        location: Region.
        subscription: Subscription id.
        group: Resource group.
        folder: Keep the deployments there; None = in this process.
        clock: Where the time comes from.
        behaviour: How it hosts.
    """

    def __init__(
        self,
        name: str = "emulated",
        *,
        location: str = "swedencentral",
        subscription: str = "00000000-0000-4000-8000-000000000001",
        group: str = "emulated-group",
        folder: Path | None = None,
        clock: Clock | None = None,
        behaviour: HostingBehaviour | None = None,
    ) -> None:
        self.name = name
        self.location = location
        self.subscription = subscription
        self.group = group
        self.clock: Clock = clock or SteerableClock()
        self.behaviour = behaviour or HostingBehaviour()
        self.lookups: list[TunedLookup] = []
        """Asked one after the other for a name; the data plane adds its own."""
        self._planted: dict[str, str] = {}
        self.store = Store(folder)

    @property
    def id(self) -> str:
        """The resource's id in the management plane."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.name}"
        )

    # --- tuned models ------------------------------------------------------------------------

    def plant(self, name: str, *, base: str) -> None:
        """Let there be a tuned model or checkpoint that no job of the data plane has made."""
        self._planted[name] = base

    def tuned(self, name: str) -> str | None:
        """Return the base model of a tuned model or checkpoint; None = there is none so named."""
        if name in self._planted:
            return self._planted[name]
        return next((base for look in self.lookups if (base := look(name)) is not None), None)

    # --- what the data plane asks ------------------------------------------------------------

    def answering(self, deployment_name: str) -> str | None:
        """Return the model that a ready deployment serves, and note that it was used.

        None = the data plane refuses; `silence` says how.
        """
        with self.transaction() as state:
            found = state.get(_KIND, deployment_name)
            if found is None or not self._answers(found):
                return None
            state.put(_KIND, deployment_name, {**found, "used_at": self.now()})
            return str(found["model"])

    def silence(
        self, deployment_name: str
    ) -> Literal["DeploymentNotFound", "DeploymentNotReady"] | None:
        """Return the code with which the data plane refuses a deployment; None = it answers.

        A deployment that the management plane still makes is not found, one that is made and is
        silent yet is not ready.
        """
        with self.transaction() as state:
            found = state.get(_KIND, deployment_name)
            if found is None or found["deleting_at"] is not None or found["failure"]:
                return "DeploymentNotFound"
            if self._answers(found):
                return None
            ready = found["done_at"] <= self.now()
            return "DeploymentNotReady" if ready else "DeploymentNotFound"

    def serving(self, model: str) -> list[str]:
        """Return the names of the deployments of a model, which keep it from being deleted."""
        return [found["id"] for found in self.deployments if found["model"] == model]

    # --- the truth ---------------------------------------------------------------------------

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """Every deployment that is there now, oldest first: no lag, no faults."""
        with self.transaction() as state:
            return state.all(_KIND)

    def change(self, deployment_name: str, **fields: Any) -> None:
        """Change the truth about a deployment, behind everybody's back.

        Raises:
            KeyError: There is none of the name.
        """
        with self.transaction() as state:
            found = state.get(_KIND, deployment_name)
            if found is None:
                raise KeyError(deployment_name)
            state.put(_KIND, deployment_name, {**found, **fields})

    def add(
        self,
        deployment_name: str,
        *,
        model: str,
        base: str | None = None,
        tags: Mapping[str, str] | None = None,
        sku: str = "GlobalStandard",
        capacity: int = 50,
    ) -> None:
        """Let there be a deployment that is ready, as if it had been made long ago."""
        now = self.now()
        with self.transaction() as state:
            made = new_deployment(deployment_name, model, base=base, tags=tags)
            made |= {"sku": sku, "capacity": capacity, "created_at": now, "used_at": now}
            state.put(_KIND, deployment_name, {**made, "done_at": now, "answers_at": now})

    def now(self) -> float:
        """Return the resource's time, in seconds since 1970."""
        return self.clock.now().timestamp()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything inside happens, or nothing; what time has removed is gone before."""
        with self.store.transaction() as state:
            self._settle(state)
            yield state

    def _answers(self, found: Mapping[str, Any]) -> bool:
        if found["deleting_at"] is not None or found["failure"]:
            return False
        return bool(found["answers_at"] <= self.now())

    def _settle(self, state: Transaction) -> None:
        """Remove what has been deleted, and what the service deletes by itself."""
        now = self.now()
        for found in state.all(_KIND):
            gone_at = self._gone_at(found)
            if gone_at > now:
                continue
            state.delete(_KIND, found["id"])
            until = gone_at + self.behaviour.release_seconds
            held = {"id": found["id"], "until": until, "capacity": found["capacity"]}
            state.put("released", found["id"], held)

    def _gone_at(self, found: Mapping[str, Any]) -> float:
        """Return when a deployment is gone: deleted by somebody, or by the service itself."""
        behaviour = self.behaviour
        if "developer" in found["sku"].lower():
            ends: float = found["created_at"] + behaviour.developer_seconds
        else:
            ends = found["used_at"] + behaviour.idle_seconds
        if found["deleting_at"] is not None:
            ends = min(ends, found["deleting_at"] + behaviour.deleting_seconds)
        return ends


def new_deployment(
    name: str, model: str, *, base: str | None = None, tags: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the document of a deployment without its times."""
    return {
        "id": name,
        "model": model,
        "base": base,
        "format": "OpenAI",
        "version": "1",
        "source": None,
        "sku": "GlobalStandard",
        "capacity": 50,
        "tags": dict(tags or {}),
        "more": {},
        "created_at": 0.0,
        "used_at": 0.0,
        "done_at": 0.0,
        "answers_at": 0.0,
        "deleting_at": None,
        "failure": None,
        "word": None,
    }
