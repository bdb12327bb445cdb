"""Settings of this machine as a provider, and what a local job alone can have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftproviders.provider import ProviderOptions, ProviderSettings

__all__ = ["LocalOptions", "LocalSettings"]


class LocalSettings(ProviderSettings):
    """How jobs are run on this machine."""

    grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    """How long a cancelled worker may take to stop; the next look at it after that kills it."""
    start_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long a new worker may take to say that it has taken over its job."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Processor threads for training and chats; None = all cores."""
    chat_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a model may take to load, and to answer."""
    chat_models: Annotated[int, Field(ge=1)] = 2
    """How many models are kept in memory for chats at the same time."""
    deploy_seconds: Annotated[float, Field(gt=0)] = 1800.0
    """How long the server of a deployment may take from its start to an answered chat."""
    server_restarts: Annotated[int, Field(ge=0)] = 5
    """How often a server that dies is started again within `server_restart_window_seconds`."""
    server_restart_window_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Older deaths of a server do not count any more."""


class LocalOptions(ProviderOptions):
    """Options of a local job."""

    target_modules: Annotated[str, Field(min_length=1)] = "all-linear"
    """Layers that get LoRA matrices: ``all-linear`` or names separated by commas."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Data type of weights and adapter; ``auto`` = bf16 where the hardware computes in it."""
    attn_implementation: Literal["sdpa", "eager"] = "sdpa"
    """How attention is computed."""
    chat_template: str | None = None
    """Path of a Jinja chat template to use instead of the model's own."""
    checkpoints: Annotated[int, Field(ge=0)] = 3
    """How many of the newest epochs' adapters are kept; 0 = none."""
