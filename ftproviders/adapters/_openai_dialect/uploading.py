"""Sending a file: in one request, or in parts through the Uploads API where it is too large.

Each part is a request of its own that can be made again; nothing here tries anything again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from ftproviders.adapters._openai_dialect.connection import Connection
from ftproviders.adapters._openai_dialect.reading import file_ref
from ftproviders.adapters._openai_dialect.sending import Digests, Window, open_source
from ftproviders.errors import DatasetError, ProviderError, UnexpectedResponseError
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef

__all__ = ["Sender", "SendingLimits"]

_PURPOSE = "fine-tune"
_MIME_TYPE = "text/jsonl"


@dataclass(frozen=True, kw_only=True)
class SendingLimits:
    """How much goes where."""

    plain_bytes: int
    """Largest file that goes up in one request."""
    part_bytes: int
    """Size of a part of a larger one."""
    expires_after_seconds: int | None
    """When the service shall delete the file; None = never."""


class Sender:
    """Sends one file.

    Args:
        connection: Where to.
        provider: Name for refs and errors.
        file: What.
        purpose: ``training`` or ``validation``.
        limits: Sizes.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        provider: str,
        file: PreparedFile,
        purpose: str,
        limits: SendingLimits,
    ) -> None:
        self._ask = connection.ask
        self._client = connection.client
        self._translated = connection.translated
        self._provider = provider
        self._file = file
        self._purpose = purpose
        self._limits = limits
        self._digests = Digests()
        self._upload_id: str | None = None
        self._completing: str | None = None
        self._parts: list[str] = []

    def steps(self) -> Generator[Callable[[], FileRef | None]]:
        """Yield the requests; the last returns the file. See `TrainingAdapter.upload_steps`."""
        source, size = self._opened()
        with source:
            if size <= self._limits.plain_bytes:
                yield partial(self._whole, source, size)
                return
            try:
                yield partial(self._begin, size)
                for start in range(0, size, self._limits.part_bytes):
                    length = min(self._limits.part_bytes, size - start)
                    yield partial(self._part, source, start, length)
                yield partial(self._complete, size)
            finally:
                self._abandon()

    def _opened(self) -> tuple[BinaryIO, int]:
        try:
            return open_source(self._file.path)
        except OSError as error:
            raise DatasetError(
                f"{self._file.path} cannot be read: {error.strerror}.",
                provider=self._provider,
                operation="upload",
                hint="Put the file back; nothing was sent.",
            ) from error

    def _expiry(self) -> dict[str, Any] | None:
        seconds = self._limits.expires_after_seconds
        return None if seconds is None else {"anchor": "created_at", "seconds": seconds}

    def _whole(self, source: BinaryIO, size: int) -> FileRef:
        window = Window(source, start=0, size_bytes=size)
        entry = self._ask(
            self._client.files.with_raw_response.create,
            file=(self._file.name, window, _MIME_TYPE),
            purpose=_PURPOSE,
            expires_after=self._expiry(),
        )
        return self._named(entry, window.digests)

    def _begin(self, size: int) -> None:
        entry = self._ask(
            self._client.uploads.with_raw_response.create,
            bytes=size,
            filename=self._file.name,
            mime_type=_MIME_TYPE,
            purpose=_PURPOSE,
            expires_after=self._expiry(),
        )
        self._upload_id = self._id(entry)

    def _part(self, source: BinaryIO, start: int, length: int) -> None:
        window = Window(source, start=start, size_bytes=length, before=self._digests)
        entry = self._ask(
            self._client.uploads.parts.with_raw_response.create,
            self._upload_id,
            data=(self._file.name, window, "application/octet-stream"),
        )
        # Only now: a part that is sent again begins with the digests of those before it.
        self._parts.append(self._id(entry))
        self._digests = window.digests

    def _complete(self, size: int) -> FileRef:
        upload_id = self._upload_id or self._completing
        # From here on it may be complete, whatever answer comes: nothing to cancel.
        self._upload_id, self._completing = None, upload_id
        entry = self._ask(
            self._client.uploads.with_raw_response.complete,
            upload_id,
            part_ids=list(self._parts),
            md5=self._digests.md5 if self._digests.size_bytes == size else None,
        )
        made = entry.get("file")
        if not isinstance(made, dict):
            raise self._nameless(entry)
        return self._named(made, self._digests)

    def _abandon(self) -> None:
        """Cancel an upload that was given up; it would go away by itself in an hour."""
        if self._upload_id is None:
            return
        upload_id, self._upload_id = self._upload_id, None
        # Whatever stopped the upload is what the user should see.
        with contextlib.suppress(ProviderError):
            try:
                self._ask(self._client.uploads.with_raw_response.cancel, upload_id)
            # Whatever the SDK raises is translated; the errors of others go on as they are.
            except Exception as error:
                ours = self._translated(error, operation="upload")
                if ours is None:
                    raise
                raise ours from error

    def _named(self, entry: dict[str, Any], digests: Digests) -> FileRef:
        self._id(entry)
        return file_ref(
            {"filename": self._file.name, **entry},
            provider=self._provider,
            sha256=digests.sha256,
            size_bytes=digests.size_bytes,
            purpose=self._purpose,
        )

    def _id(self, entry: dict[str, Any]) -> str:
        if not entry.get("id"):
            raise self._nameless(entry)
        return str(entry["id"])

    def _nameless(self, entry: dict[str, Any]) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"{self._provider} took {self._file.name} and did not say under which id.",
            provider=self._provider,
            operation="upload",
            hint="Run the same command again; a file that is there is not sent twice.",
            raw=entry,
        )
