"""Where a job was moved from: what a plan tells when it was made from an existing job."""

from __future__ import annotations

from datetime import date
from typing import Literal

from ftproviders.schema.value import JsonValue, Value

__all__ = ["Lifecycle", "MovedFile", "MovedFrom", "MovedSetting"]


class Lifecycle(Value):
    """Until when a model can be tuned somewhere, and its tuned models answer."""

    provider: str
    model: str
    last_job_day: date | None = None
    """Last day on which a job can surely be created; None = no date is known."""
    last_answer_day: date | None = None
    """Last day on which tuned models surely answer; None = no date is known."""
    source: str = ""
    """Who says so, and when that was read; empty where nothing is known."""
    note: str = ""
    """What the dates depend on."""


class MovedFile(Value):
    """A data file of a moved job."""

    purpose: Literal["training", "validation"]
    path: str
    """The file that is used now."""
    origin: Literal["given", "kept", "downloaded"]
    """Named by the caller; still there, where the job was submitted from; the provider's copy."""
    sha256: str
    """Digest of the file that is used now."""
    recorded_sha256: str | None = None
    """Digest of the job's own file where it is known. Only a file that was given may differ."""


class MovedSetting(Value):
    """What becomes of one setting."""

    name: str
    before: JsonValue = None
    """Value in the job that is moved; None = it had none, or does not tell."""
    after: JsonValue = None
    """Value in the new job; None = nothing is sent."""
    outcome: Literal["taken", "mapped", "ignored", "changed", "default"]
    """As it was; as it was, under another name; the provider lacks it; stated anew by the caller;
    chosen by the provider, because nobody stated it."""
    detail: str = ""
    """The other name, or the reason."""
    told: bool = False
    """True when nobody is known to have stated it: the old provider tells that it was in force."""


class MovedFrom(Value):
    """The job that a plan was made from, and what changes on the way."""

    ref: str
    provider: str
    status: str
    """How it stood when it was read."""
    base_model: str | None = None
    model: str | None = None
    """Its tuned model, which stays where it is."""
    files: tuple[MovedFile, ...] = ()
    settings: tuple[MovedSetting, ...] = ()
    lost: tuple[str, ...] = ()
    """What the new job will not have, in sentences."""
    source_lifecycle: Lifecycle
    target_lifecycle: Lifecycle
