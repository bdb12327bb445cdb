"""Deployments of tuned models, and chats with them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import override

from ftproviders.schema.job import JobFailure, TunedModel
from ftproviders.schema.value import FrozenJson, UtcDatetime, Value

__all__ = [
    "ChatReply",
    "DeploymentPage",
    "DeploymentRef",
    "DeploymentSnapshot",
    "DeploymentSpec",
    "DeploymentStatus",
    "Endpoint",
    "Lease",
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


class DeploymentRef(Value):
    """The name of a deployment, written ``provider:[account/]id`` like a job's."""

    provider: str
    account: str | None = None
    id: str

    @override
    def __str__(self) -> str:
        account = f"{self.account}/" if self.account else ""
        return f"{self.provider}:{account}{self.id}"


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
    error: JobFailure | None = None
    """Why it failed."""


class DeploymentPage(Value):
    """Deployments of one list call."""

    deployments: tuple[DeploymentSnapshot, ...]
    cursor: str | None = None


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
