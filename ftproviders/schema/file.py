"""Data files as a provider lists them, and what is known about who needs them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftproviders.schema.job import JobRef
from ftproviders.schema.value import UtcDatetime, Value

__all__ = ["DataFile", "DeletedFiles", "KeptFile"]


class DataFile(Value):
    """A data file of fine-tuning at the provider, whoever sent it.

    What the provider does not tell is None.
    """

    provider: str
    id: str
    name: str
    bytes: Annotated[int, Field(ge=0)] | None = None
    status: str | None = None
    """The provider's own word."""
    created_at: UtcDatetime | None = None
    expires_at: UtcDatetime | None = None
    """When the provider deletes it by itself; None = it says of no end."""


class KeptFile(Value):
    """A data file at the provider together with what is known about it here."""

    file: DataFile
    ours: bool
    """True when the journal here shows that we sent it, and its name carries a digest."""
    jobs: tuple[JobRef, ...] = ()
    """The jobs known to be made from it, at the provider or in the journal, newest first."""
    needed: str = ""
    """Why it is not to be deleted from here; empty = it is ours and nothing needs it."""

    @property
    def unused(self) -> bool:
        """True when `FineTuneClient.delete_unused_files` would delete it."""
        return not self.needed


class DeletedFiles(Value):
    """What `FineTuneClient.delete_unused_files` did."""

    deleted: tuple[KeptFile, ...] = ()
    """Also those that were gone when their turn came."""
    spared: tuple[KeptFile, ...] = ()
    """Agreed to, but needed by the time it was looked at again."""
    problems: tuple[str, ...] = ()
    """Files that could not be deleted, and why."""
