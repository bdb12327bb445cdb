"""Deployments of tuned models, and chats with them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ftproviders.schema.job import JobFailure, TunedModel
from ftproviders.schema.ref import Ref
from ftproviders.schema.value import FrozenJson, UtcDatetime, Value

__all__ = [
    "ChatReply",
    "DeploymentCost",
    "DeploymentPage",
    "DeploymentRecord",
    "DeploymentRef",
    "DeploymentSnapshot",
    "DeploymentSpec",
    "DeploymentState",
    "DeploymentStatus",
    "DeploymentTerms",
    "Endpoint",
    "Lease",
    "ReapReport",
    "Requirement",
    "Spared",
]


class DeploymentStatus(StrEnum):
    """How a deployment stands."""

    CREATING = "creating"
    READY = "ready"
    IDLE = "idle"
    FAILED = "failed"
    DELETING = "deleting"
    UNKNOWN = "unknown"


class Lease(Value):
    """Whose a deployment is, and until when. Written with the resource as tags."""

    id: str
    """The resource's own id, so that a copied tag is recognised."""
    owner: str
    expires_at: UtcDatetime | None = None
    """None = no expiry; never reaped."""


class DeploymentSpec(Value):
    """How a tuned model shall be deployed."""

    name: str
    lease: Lease | None = None
    options: FrozenJson = {}
    """What the host alone has."""


class DeploymentTerms(Value):
    """What a deployment would be, before anything is sent for it."""

    tier: str | None = None
    """The host's word for how it is hosted and billed; prices are looked up by it."""
    facts: tuple[str, ...] = ()
    """What whoever pays should see first: where it runs, how much it takes, when it ends."""


class Requirement(Value):
    """One thing that deploying needs."""

    name: str
    """What it is, in a word or two."""
    met: bool | None = None
    """None = not looked at, or it cannot be known before."""
    detail: str
    """What was found, or what is needed."""
    hint: str = ""
    """What to do about one that is missing."""


class DeploymentRef(Ref):
    """The name of a deployment, written ``provider:[account/]id`` like a job's."""

    noun = "deployment"


class DeploymentSnapshot(Value):
    """A deployment at one moment."""

    ref: DeploymentRef
    status: DeploymentStatus
    raw_status: str
    model: TunedModel
    created_at: UtcDatetime | None = None
    lease: Lease | None = None
    url: str | None = None
    """Base address of the OpenAI-shaped API for other programs, once it is known."""
    model_name: str | None = None
    """What other programs send as ``model``."""
    key_file: str | None = None
    """File that holds the deployment's own token, where the host keeps it so; never the token."""
    log: str | None = None
    """Where the server's words can be read: a file, or an address."""
    tier: str | None = None
    """The host's word for how it is hosted and billed."""
    removed_at: UtcDatetime | None = None
    """When the host deletes it by itself, whatever its lease says; None = it does not, or cannot be
    known."""
    error: JobFailure | None = None
    """Why it failed."""
    silent: bool = False
    """True when its host calls it ready and it does not answer yet."""
    doing: str | None = None
    """What its host does at the moment, in words, where it tells."""


class DeploymentCost(Value):
    """What a deployment costs for being there; unknown is never shown as 0."""

    age_seconds: Annotated[float, Field(ge=0)] | None = None
    """None = its host does not say since when it is there."""
    usd_per_hour: Annotated[float, Field(ge=0)] | None = None
    usd_so_far: Annotated[float, Field(ge=0)] | None = None
    """Age x price; what it is asked costs extra."""
    source: str | None = None
    """Where the price was read."""
    as_of: date | None = None
    """The day on which the price was read."""


class DeploymentPage(Value):
    """Deployments of one list call."""

    deployments: tuple[DeploymentSnapshot, ...]
    cursor: str | None = None


class DeploymentState(StrEnum):
    """What we know of the request that makes a deployment."""

    INTENT = "intent"
    """About to be sent, or sent; no outcome was written down."""
    UNKNOWN = "unknown"
    """Sent, answer lost, not found within the settle window; the user was told."""
    CREATED = "created"
    """It was there when it was last seen."""
    REFUSED = "refused"
    """The host refused, or is sure that there is none: it may be sent again."""
    DELETED = "deleted"
    """It was undeployed from here, or is gone."""


class DeploymentRecord(Value):
    """A row of the journal: a deployment that was asked for from here."""

    provider: str
    account: str
    name: str
    state: DeploymentState
    model: TunedModel
    options: FrozenJson = {}
    ref: DeploymentRef | None = None
    """None as long as the outcome is not known."""
    created_at: UtcDatetime
    """When the row was written."""
    sent_at: UtcDatetime | None = None
    """Written just before the request goes out; None = it never went out."""
    reason: str | None = None
    """Why it was refused, or is not known."""

    @property
    def maybe_sent(self) -> bool:
        """True when a request may have reached the host without a known outcome."""
        if self.state is DeploymentState.UNKNOWN:
            return True
        return self.state is DeploymentState.INTENT and self.sent_at is not None


class Spared(Value):
    """A deployment that `reap` had listed and then did not delete."""

    deployment: DeploymentSnapshot
    reason: str


class ReapReport(Value):
    """What `reap` did."""

    deleted: tuple[DeploymentSnapshot, ...] = ()
    spared: tuple[Spared, ...] = ()
    """Listed as expired; the fresh read just before said otherwise."""
    problems: tuple[str, ...] = ()
    """Hosts that could not be asked and deployments that could not be deleted, and why."""


class Endpoint(Value):
    """Where a model answers. Holds no key: headers are made on use and never stored."""

    provider: str
    url: str
    """Base address of the OpenAI-shaped API, or what the host's own ``chat`` understands."""
    model: str
    """Model name to send."""
    auth: Literal["none", "bearer", "api-key"] = "none"


class ChatReply(Value):
    """An answer of a model."""

    text: str
    model: str
    finish_reason: str | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    completion_tokens: Annotated[int, Field(ge=0)] | None = None
