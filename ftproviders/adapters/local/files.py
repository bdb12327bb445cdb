"""Uploaded data files: copies in our folder, named by what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ftproviders.errors import NotFoundError
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.file import DataFile
from ftproviders.schema.job import FileRef
from ftproviders.worker.rundir import private_folder

__all__ = ["FileStore"]

_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""What a file system without hard links, or another one, answers. Never that the target is there:
writing into it would write into every file that it is linked to."""

_CHUNK_BYTES = 1 << 20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class FileStore:
    """Files that jobs are made from.

    Args:
        folder: Where they are kept; made when the first file comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, file: PreparedFile, *, purpose: str) -> FileRef:
        """Copy a file in and return its name; the digest is that of the bytes that were copied."""
        draft = private_folder(self.folder) / f".new-{secrets.token_hex(8)}"
        try:
            number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with file.path.open("rb") as source, os.fdopen(number, "wb") as target:
                sha256, size = _copied(source, target)
                target.flush()
                os.fsync(target.fileno())
            draft.replace(self._path(sha256))
        finally:
            draft.unlink(missing_ok=True)
        return FileRef(
            provider="local",
            id=sha256,
            name=file.name,
            sha256=sha256,
            bytes=size,
            purpose=purpose,
        )

    def all(self) -> list[DataFile]:
        """Return every file, newest first; names are not kept, only what is in them."""
        found: list[DataFile] = []
        for path in sorted(self.folder.glob("[0-9a-f]*.jsonl")):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                state = path.stat()
                found.append(
                    DataFile(
                        provider="local",
                        id=path.stem,
                        name=f"data.{path.stem[:16]}.jsonl",
                        bytes=state.st_size,
                        created_at=datetime.fromtimestamp(state.st_mtime, tz=UTC),
                    )
                )
        return sorted(found, key=lambda file: file.created_at or _LONG_AGO, reverse=True)

    def find(self, sha256: str, *, size_bytes: int) -> FileRef | None:
        """Return the file with this content, if it is here and still has it."""
        path = self._path(sha256)
        try:
            with path.open("rb") as content:
                whole = path.stat().st_size == size_bytes
                if not whole or hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                    return None
        except FileNotFoundError:
            return None
        return FileRef(
            provider="local",
            id=sha256,
            name=f"data.{sha256[:16]}.jsonl",
            sha256=sha256,
            bytes=size_bytes,
        )

    def copy(self, file_id: str, *, target: Path, kept: Iterable[Path]) -> FileRef:
        """Write a file to `target` and return its name, digest and size.

        Args:
            file_id: Its id.
            target: Where to.
            kept: Further places where it may be, looked at in turn when it was deleted here.

        Raises:
            NotFoundError: There is no such file.
        """
        for path in (self._path(file_id), *kept):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as source:
                with target.open("wb") as file:
                    sha256, size = _copied(source, file)
                name = f"data.{sha256[:16]}.jsonl"
                return FileRef(provider="local", id=file_id, name=name, sha256=sha256, bytes=size)
        raise self._missing(file_id, "download_file")

    def give(self, file: FileRef, target: Path) -> None:
        """Put a file into a run's folder; the run keeps it even when it is deleted here.

        Raises:
            NotFoundError: It was deleted.
        """
        source = self._path(file.id)
        try:
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                shutil.copyfile(source, target)
                target.chmod(0o600)
        except FileNotFoundError as error:
            raise NotFoundError(
                f"File {file.name} ({file.id[:16]}) is not in {self.folder} any more.",
                provider="local",
                operation="create",
                hint="Submit again; the file is then copied again.",
            ) from error

    def delete(self, file: FileRef) -> None:
        """Delete a file; jobs that were made from it keep theirs.

        Raises:
            NotFoundError: There is no such file.
        """
        try:
            self._path(file.id).unlink()
        except FileNotFoundError as error:
            raise self._missing(file.id, "delete_file") from error

    def _missing(self, file_id: str, operation: str) -> NotFoundError:
        return NotFoundError(
            f"There is no file {file_id[:16]} in {self.folder}.",
            provider="local",
            operation=operation,
            hint="It may have been deleted before.",
        )

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.jsonl"


def _copied(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    """Copy a file and return digest and size of what was copied."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        target.write(chunk)
    return digest.hexdigest(), size
