"""Getting the data files of an existing job: where they were, else the provider's copy.

Never another file in silence: what is used has the digest that was recorded, where one was.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from functools import partial
from pathlib import Path

from ftproviders.errors import (
    ConfigurationError,
    DatasetError,
    FineTuneError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    UnsupportedFeatureError,
)
from ftproviders.provider import TrainingAdapter
from ftproviders.runtime.session import Session
from ftproviders.runtime.source import Source, SourceFile
from ftproviders.schema.job import FileRef
from ftproviders.worker.rundir import private_folder

__all__ = ["Fetched", "fetch"]

_FOLDER = "downloads"
_NAMED_DIGEST = re.compile(r"^(?P<stem>.*)\.(?P<digits>[0-9a-f]{16})\.jsonl$")
"""How files are named that this package has sent."""
_CANNOT_BE_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_DEFINITE = (
    NotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
    UnsupportedFeatureError,
    ConfigurationError,
)
"""Answers after which asking again would not help."""


class Fetched:
    """A data file that is at hand.

    Args:
        path: Where it is.
        downloaded: Whether it is the provider's copy.
        note: Why it is not the file that was submitted; empty = it is, or nobody knows where that
            was.
    """

    def __init__(self, path: Path, *, downloaded: bool, note: str = "") -> None:
        self.path = path
        self.downloaded = downloaded
        self.note = note


def fetch(session: Session, source: Source, purpose: str) -> Fetched | None:
    """Return the data file of a job; None when the job has none of this purpose.

    Args:
        session: Settings, journal, adapters.
        source: The job.
        purpose: ``training`` or ``validation``.

    Raises:
        ConfigurationError: It is not at hand and cannot be had; the message says why, and how to
            give it.
        DatasetError: The provider's copy is not the file that was recorded.
        ProviderError: The provider cannot be asked now.
    """
    file = source.files[purpose]
    if file.path is None and file.id is None and purpose != "training":
        return None
    here = _why_not_here(file)
    if here is None and file.path is not None:
        return Fetched(file.path, downloaded=False)
    try:
        path = _downloaded(session, source, file)
    except _DEFINITE as error:
        raise _not_at_hand(source, purpose, here, error) from error
    except ProviderError as error:
        error.hint = f"{error.hint} {_give(purpose)}".strip()
        raise
    known = file.path is not None
    note = f"{here}; the copy that {source.info.name} has is used." if known else ""
    return Fetched(path, downloaded=True, note=note)


def _why_not_here(file: SourceFile) -> str | None:
    """Say why the file that was submitted cannot be used; None = it can."""
    if file.path is None:
        return "where it was submitted from is not known here"
    if file.sha256 is None:
        return f"whether {file.path} is what was submitted is not known"
    try:
        found = _digest(file.path)
    except OSError as error:
        return f"{file.path} cannot be read any more ({(error.strerror or 'error').lower()})"
    return None if found == file.sha256 else f"{file.path} has changed since it was submitted"


def _downloaded(session: Session, source: Source, file: SourceFile) -> Path:
    if file.id is None:
        raise NotFoundError(f"{source.info.name} does not tell which file it was.")
    adapter = session.adapter_for(source.ref)
    file_id = file.id
    folder = _folder(session)
    draft = folder / f".new-{secrets.token_hex(8)}"
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        download = partial(_received, adapter, file_id, draft)
        told = session.call(adapter, "download_file", download, ref=source.ref)
        digest = _digest(draft)
        _refuse_other_bytes(source, file, told, digest)
        return _placed(draft, folder, told.name or file.name, digest)
    finally:
        draft.unlink(missing_ok=True)


def _received(adapter: TrainingAdapter, file_id: str, draft: Path) -> FileRef:
    try:
        return adapter.download_file(file_id, target=draft)
    except OSError as error:
        if error.errno not in _CANNOT_BE_WRITTEN:
            raise
        raise DatasetError(
            f"{file_id} of {adapter.info.name} cannot be written to {draft.parent}: "
            f"{error.strerror}.",
            provider=adapter.info.name,
            operation="download_file",
            hint="Make room there, or set FTPROVIDERS_HOME to another folder.",
        ) from error


def _folder(session: Session) -> Path:
    folder = session.config.home.absolute() / _FOLDER
    try:
        return private_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} cannot be made: {error.strerror}.",
            operation="download_file",
            hint="Correct its permissions, or set FTPROVIDERS_HOME to another folder.",
        ) from error


def _refuse_other_bytes(source: Source, file: SourceFile, told: FileRef, digest: str) -> None:
    recorded = file.sent_sha256 or file.sha256
    named = _NAMED_DIGEST.match(told.name or file.name)
    if recorded is None and named is not None and source.snapshot.submission_id is not None:
        recorded = named["digits"]
    if recorded is None or digest.startswith(recorded):
        return
    raise DatasetError(
        f"{source.info.name} hands out {told.name or told.id} with other bytes than were recorded: "
        f"SHA-256 {digest}, and it was {recorded}.",
        provider=source.info.name,
        operation="download_file",
        hint="Nothing was sent, and the file was not kept. Give the right file with "
        "--training-file or --validation-file.",
    )


def _placed(draft: Path, folder: Path, name: str, digest: str) -> Path:
    """Give a download its name; what is there already stays as it is."""
    named = _NAMED_DIGEST.match(name)
    stem = named["stem"] if named is not None else Path(name).stem
    # A job made from a download has its digits twice; a third time would make no name better.
    stem = stem.removesuffix(f"-{digest[:16]}")
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:80] or "data"
    final = folder / f"{stem}.{digest[:16]}.jsonl"
    # A link, since it never replaces anything; where there are no links, a look first.
    with contextlib.suppress(OSError):
        os.link(draft, final)
        return final
    if not final.exists():
        return draft.replace(final)
    if _digest(final) != digest:
        raise DatasetError(
            f"{final} is there already, with other bytes than its name says.",
            operation="download_file",
            hint="Move that file away, then run the same command again.",
        )
    return final


def _not_at_hand(
    source: Source, purpose: str, here: str | None, error: FineTuneError
) -> ConfigurationError:
    file = source.files[purpose]
    digest = f"SHA-256 {file.sha256}" if file.sha256 else "no digest of it is known"
    name = file.path.name if file.path is not None else file.name or "its name is not known"
    return ConfigurationError(
        f"The {purpose} file of {source.ref} is not at hand ({name}; {digest}): {here}; and "
        f"{source.info.name} does not hand it out: {error.message}",
        provider=source.info.name,
        operation="plan",
        hint=_give(purpose),
        ref=source.ref,
    )


def _give(purpose: str) -> str:
    return f"Give the file yourself: --{purpose}-file FILE."


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
