"""Getting a submission's files to the provider: once, with what was really sent hashed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from ftproviders.errors import (
    DatasetError,
    FineTuneError,
    ProviderTimeoutError,
    UnexpectedResponseError,
)
from ftproviders.provider import Feature, TrainingAdapter
from ftproviders.runtime.poll import pause_seconds
from ftproviders.runtime.session import Session
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef
from ftproviders.schema.plan import JobPlan

__all__ = ["send_files"]

_LONGEST_PROCESSING_SECONDS = 1800.0
_SHORTEST_LIFE_SECONDS = 86_400.0


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
        return _usable(session, adapter, known, on_progress)
    number = session.journal.start(submission_id, f"upload {file.name}", at=session.clock.now())
    on_progress(f"uploading {file.name} ({file.bytes:,} bytes)")
    try:
        ref = _upload(session, adapter, file, submission_id)
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
    return _usable(session, adapter, ref, on_progress)


def _upload(
    session: Session, adapter: TrainingAdapter, file: PreparedFile, submission_id: str
) -> FileRef:
    """Make the requests of an upload, each tried again by itself."""
    steps = adapter.upload_steps(file, purpose=file.purpose, submission_id=submission_id)
    with closing(steps):
        for step in steps:
            ref = session.call(adapter, "upload", _Step(session, adapter, file, step))
            if ref is not None:
                return ref
    raise UnexpectedResponseError(
        f"{adapter.info.name}: the upload of {file.name} ended without a file.",
        provider=adapter.info.name,
        operation="upload",
        hint="Run the same command again.",
    )


class _Step:
    """One request of an upload. If its answer was lost, the file may be there: look first."""

    def __init__(
        self,
        session: Session,
        adapter: TrainingAdapter,
        file: PreparedFile,
        send: Callable[[], FileRef | None],
    ) -> None:
        self._look = partial(_known, session, adapter, file)
        self._send = send
        self._tries = 0

    def __call__(self) -> FileRef | None:
        self._tries += 1
        there = self._look() if self._tries > 1 else None
        return there or self._send()


def _usable(
    session: Session,
    adapter: TrainingAdapter,
    ref: FileRef,
    on_progress: Callable[[str], None],
) -> FileRef:
    """Wait until the provider has processed the file, where it says that it has to.

    Raises:
        ProviderTimeoutError: It was not done within half an hour.
    """
    if ref.ready:
        return ref
    on_progress(f"waiting until {adapter.info.name} has processed {ref.name or ref.id}")
    started = session.clock.monotonic()
    while not session.call(adapter, "file_ready", lambda: adapter.file_ready(ref)):
        elapsed = session.clock.monotonic() - started
        if elapsed > _LONGEST_PROCESSING_SECONDS:
            raise ProviderTimeoutError(
                f"{adapter.info.name} has not processed {ref.name or ref.id} in "
                f"{_LONGEST_PROCESSING_SECONDS / 60:.0f} minutes; no job was created.",
                provider=adapter.info.name,
                operation="upload",
                hint="Run the same command later: the file is not sent again.",
                maybe_executed=False,
            )
        session.clock.sleep(pause_seconds(session, adapter, elapsed))
    return ref.model_copy(update={"ready": True})


def _known(session: Session, adapter: TrainingAdapter, file: PreparedFile) -> FileRef | None:
    """Ask the provider for these bytes; the journal alone could name a file that was deleted."""
    if not session.has(adapter, Feature.FIND_FILE):
        return None
    found = session.call(
        adapter, "find_file", lambda: adapter.find_file(file.sha256, size_bytes=file.bytes)
    )
    if found is None or _ends_soon(session, found):
        found = _journaled(session, adapter, file)
    # The same bytes may have been sent for another purpose before.
    return None if found is None else found.model_copy(update={"purpose": file.purpose})


def _journaled(session: Session, adapter: TrainingAdapter, file: PreparedFile) -> FileRef | None:
    """Ask the provider for a file that we sent before and that its list does not show yet."""
    for sent in session.journal.files(adapter.info.name, account=adapter.account()):
        if (sent.sha256, sent.bytes) != (file.sha256, file.bytes):
            continue
        there = session.call(adapter, "find_file", partial(adapter.look_up_file, sent))
        if there is not None and not _ends_soon(session, there):
            return there
    return None


def _ends_soon(session: Session, file: FileRef) -> bool:
    """Say whether the provider will delete the file while a job may still wait for it."""
    if file.expires_at is None:
        return False
    return (file.expires_at - session.clock.now()).total_seconds() < _SHORTEST_LIFE_SECONDS


def _changed(path: str) -> DatasetError:
    return DatasetError(
        f"{path} changed while it was being submitted; no job was created.",
        operation="upload",
        hint="Run the same command again when the file is complete.",
    )
