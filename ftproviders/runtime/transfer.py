"""Getting a submission's files to the provider: once, with what was really sent hashed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ftproviders.errors import DatasetError, FineTuneError
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.runtime.session import Session
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef
from ftproviders.schema.plan import JobPlan

__all__ = ["send_files"]


def send_files(
    session: Session,
    adapter: TrainingAdapter,
    plan: JobPlan,
    *,
    submission_id: str,
    on_progress: Callable[[str], None],
) -> tuple[FileRef, ...]:
    """Upload what the provider does not have yet; training file first.

    Raises:
        DatasetError: A file changed after it was validated; nothing was created.
        ProviderError: An upload failed for good.
        JournalError: The intent could not be written; nothing was sent.
    """
    refs: list[FileRef] = []
    takes_validation = "validation_file" in adapter.info.job_settings
    with tempfile.TemporaryDirectory(prefix="ftproviders-") as folder:
        for purpose, dataset in plan.datasets.items():
            if purpose == "validation" and not takes_validation:
                continue
            try:
                file = adapter.prepare(dataset, purpose=purpose, folder=Path(folder))
            except OSError as error:
                raise _changed(str(dataset.path)) from error
            refs.append(_send(session, adapter, file, submission_id, on_progress))
    return tuple(refs)


def _send(
    session: Session,
    adapter: TrainingAdapter,
    file: PreparedFile,
    submission_id: str,
    on_progress: Callable[[str], None],
) -> FileRef:
    known = _known(session, adapter, file)
    if known is not None:
        on_progress(f"{file.purpose} file is already there as {known.id}")
        return known
    number = session.journal.start(submission_id, f"upload {file.name}", at=session.clock.now())
    on_progress(f"uploading {file.name} ({file.bytes:,} bytes)")
    tries = 0

    def upload() -> FileRef:
        nonlocal tries
        tries += 1
        # An upload whose answer was lost may be there: look before sending the bytes again.
        there = _known(session, adapter, file) if tries > 1 else None
        return there or adapter.upload(file, purpose=file.purpose, submission_id=submission_id)

    try:
        ref = session.call(adapter, "upload", upload)
    except FineTuneError as error:
        session.journal.finish(number, outcome=type(error).__name__, at=session.clock.now())
        if isinstance(error.__cause__, (FileNotFoundError, PermissionError, IsADirectoryError)):
            raise _changed(str(file.path)) from error
        raise
    if ref.sha256 != file.sha256:
        session.journal.finish(number, outcome="changed", at=session.clock.now())
        raise _changed(str(file.path))
    session.journal.uploaded(ref, account=adapter.account(), at=session.clock.now())
    session.journal.finish(number, outcome=ref.id, at=session.clock.now())
    return ref


def _known(session: Session, adapter: TrainingAdapter, file: PreparedFile) -> FileRef | None:
    """Ask the provider for these bytes; the journal alone could name a file that was deleted."""
    if not session.has(adapter, Feature.FIND_FILE):
        return None
    found = session.call(
        adapter, "find_file", lambda: adapter.find_file(file.sha256, size_bytes=file.bytes)
    )
    # The same bytes may have been sent for another purpose before.
    return None if found is None else found.model_copy(update={"purpose": file.purpose})


def _changed(path: str) -> DatasetError:
    return DatasetError(
        f"{path} changed while it was being submitted; no job was created.",
        operation="upload",
        hint="Run the same command again when the file is complete.",
    )
