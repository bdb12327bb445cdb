"""The training adapter of every service with OpenAI's fine-tuning API, but for who is called."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ftproviders.adapters._openai_dialect.connection import Connection
from ftproviders.adapters._openai_dialect.events import after_cursor, ordered
from ftproviders.adapters._openai_dialect.explaining import row_numbers
from ftproviders.adapters._openai_dialect.limits import (
    OPENAI_LIMITS,
    DialectLimits,
    refuse_what_cannot_be_sent,
)
from ftproviders.adapters._openai_dialect.matching import matched
from ftproviders.adapters._openai_dialect.options import DialectOptions
from ftproviders.adapters._openai_dialect.reading import (
    Owner,
    checkpoint,
    data_file,
    file_ref,
    snapshot,
)
from ftproviders.adapters._openai_dialect.request import create_body
from ftproviders.adapters._openai_dialect.results import result_events
from ftproviders.adapters._openai_dialect.uploading import Sender, SendingLimits
from ftproviders.errors import (
    FineTuneError,
    InvalidRequestError,
    NotFoundError,
    UnexpectedResponseError,
)
from ftproviders.provider import ProviderOptions, ProviderSettings, TrainingAdapter
from ftproviders.schema.dataset import DatasetStatistics, PreparedFile
from ftproviders.schema.file import DataFile
from ftproviders.schema.job import (
    Checkpoint,
    FileRef,
    FindResult,
    JobEvent,
    JobPage,
    JobRef,
    JobSnapshot,
    JobSpec,
    SubmissionQuery,
)
from ftproviders.schema.plan import Assessment

__all__ = ["DialectAdapter"]

_JOBS_A_PAGE = 100
_EVENTS_A_PAGE = 100
_CHECKPOINTS_A_PAGE = 100
_FILES_A_PAGE = 1000
_PURPOSE = "fine-tune"
_BROKEN_FILE = ("error", "deleting", "deleted")
"""How a file stands that no job can use; any other word may be one that is new."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class DialectAdapter(TrainingAdapter):
    """Jobs, files, events and checkpoints in OpenAI's words.

    Args:
        settings: Connection settings.
        connection: Requests to the service.
        limits: How files are sent.
    """

    dialect_limits: ClassVar[DialectLimits] = OPENAI_LIMITS
    """What is refused before anything is sent."""

    def __init__(
        self, settings: ProviderSettings, *, connection: Connection, limits: SendingLimits
    ) -> None:
        super().__init__(settings)
        self._connection = connection
        self._limits = limits

    @property
    def _jobs(self) -> Any:
        return self._connection.client.fine_tuning.jobs.with_raw_response

    @property
    def _files(self) -> Any:
        return self._connection.client.files.with_raw_response

    @property
    def _owner(self) -> Owner:
        return Owner(provider=self.info.name, account=self.public_account())

    @abstractmethod
    def job_body(self, body: dict[str, Any], *, options: ProviderOptions) -> dict[str, Any]:
        """Return the body of a create request with what this service alone wants in it."""

    def sent_model(self, name: str) -> str:
        """Return the base model's name as the service has it; override where names have aliases."""
        return name

    def read(self, job: Mapping[str, Any]) -> JobSnapshot:
        """Read a job; override where the service tells more, or tells it otherwise."""
        return snapshot(job, owner=self._owner)

    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        assessment = super().assess(spec, options=options, statistics=statistics)
        refuse_what_cannot_be_sent(
            spec,
            _dialect(options),
            provider=self.info.name,
            limits=self.dialect_limits,
        )
        return assessment

    # --- files -------------------------------------------------------------------------------

    @override
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        steps = self.upload_steps(file, purpose=purpose, submission_id=submission_id)
        with closing(steps):
            for step in steps:
                ref = step()
                if ref is not None:
                    return ref
        raise AssertionError("the last step of an upload returns the file")

    @override
    def upload_steps(
        self, file: PreparedFile, *, purpose: str, submission_id: str
    ) -> Generator[Callable[[], FileRef | None]]:
        del submission_id  # files carry no metadata; their name carries the digest
        sender = Sender(
            self._connection,
            provider=self.info.name,
            file=file,
            purpose=purpose,
            limits=self._limits,
        )
        return sender.steps()

    @override
    def file_ready(self, file: FileRef) -> bool:
        entry = self._connection.ask(self._files.retrieve, file.id)
        if entry.get("status") == "error":
            detail = str(entry.get("status_details") or "it gives no reason").rstrip(".")
            refused = InvalidRequestError(
                f"{self.info.name} has found {file.name or file.id} unusable: {detail}.",
                provider=self.info.name,
                operation="upload",
                hint=f"Look for the rows with `ftproviders validate FILE --provider "
                f"{self.info.name}`, correct them and submit again.",
                raw=entry,
            )
            refused.rows = row_numbers(detail)
            raise refused
        return entry.get("status") in (None, "processed")

    @override
    def find_file(self, sha256: str, *, size_bytes: int) -> FileRef | None:
        digits = f".{sha256[:16]}."
        found = [
            file_ref(
                entry,
                provider=self.info.name,
                sha256=sha256,
                size_bytes=size_bytes,
                purpose="training",
            )
            for entry in self._listed_files()
            if digits in str(entry.get("filename"))
            and entry.get("bytes") == size_bytes
            and entry.get("status") not in _BROKEN_FILE
        ]
        # The one that stays longest; of those that stay, the newest.
        far = datetime.max.replace(tzinfo=UTC)
        return max(found, key=lambda file: file.expires_at or far, default=None)

    @override
    def look_up_file(self, file: FileRef) -> FileRef | None:
        try:
            entry = self._connection.ask(self._files.retrieve, file.id)
        # Whatever the SDK raises is translated; only a file that is gone is an answer.
        except Exception as error:
            ours = self.translate(error, operation="find_file")
            if isinstance(ours, NotFoundError):
                return None
            raise ours from error
        if entry.get("bytes") != file.bytes or entry.get("status") in _BROKEN_FILE:
            return None
        return file_ref(
            {"filename": file.name, **entry},
            provider=self.info.name,
            sha256=file.sha256,
            size_bytes=file.bytes,
            purpose=file.purpose,
        )

    @override
    def files(self) -> Sequence[DataFile]:
        return [data_file(entry, provider=self.info.name) for entry in self._listed_files()]

    def _listed_files(self) -> list[dict[str, Any]]:
        listed = self._connection.pages(self._files.list, purpose=_PURPOSE, limit=_FILES_A_PAGE)
        # The service can filter by purpose; it is not trusted to.
        return [entry for entry in listed if entry.get("purpose") in (None, _PURPOSE)]

    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        entry = self._connection.ask(self._files.retrieve, file_id)
        content = self._connection.client.files.with_streaming_response.content
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            for chunk in self._connection.stream(content, file_id):
                digest.update(chunk)
                size += file.write(chunk)
        return file_ref(
            {"id": file_id, **entry},
            provider=self.info.name,
            sha256=digest.hexdigest(),
            size_bytes=size,
            purpose="training",
        )

    @override
    def delete_file(self, file: FileRef) -> None:
        self._connection.ask(self._files.delete, file.id)

    # --- jobs --------------------------------------------------------------------------------

    @override
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        body = create_body(
            self.info, spec, options=_dialect(options), files=files, submission_id=submission_id
        )
        answer = self._connection.ask(self._jobs.create, **self.job_body(body, options=options))
        return self._job(answer, "create").ref

    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        # The service can filter by metadata; it is not trusted to.
        listed = self._connection.pages(self._jobs.list, limit=_JOBS_A_PAGE)
        return matched(
            query,
            map(self.read, listed),
            sent_as=self.sent_model,
            file_names=lambda: {
                str(entry["id"]): str(entry.get("filename") or "") for entry in self._listed_files()
            },
        )

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        return self._job(self._connection.ask(self._jobs.retrieve, ref.id), "retrieve")

    @override
    def cancel(self, ref: JobRef) -> JobSnapshot:
        return self._job(self._connection.ask(self._jobs.cancel, ref.id), "cancel")

    @override
    def pause(self, ref: JobRef) -> JobSnapshot:
        return self._job(self._connection.ask(self._jobs.pause, ref.id), "pause")

    @override
    def resume(self, ref: JobRef) -> JobSnapshot:
        return self._job(self._connection.ask(self._jobs.resume, ref.id), "resume")

    @override
    def jobs(self, *, cursor: str | None = None) -> JobPage:
        items, following = self._connection.page(self._jobs.list, limit=_JOBS_A_PAGE, after=cursor)
        return JobPage(jobs=tuple(map(self.read, items)), cursor=following)

    def _job(self, job: Mapping[str, Any], operation: str) -> JobSnapshot:
        if not job.get("id"):
            raise UnexpectedResponseError(
                f"{self.info.name} answered {operation} with something that is no job.",
                provider=self.info.name,
                operation=operation,
                hint="Check that the address is an OpenAI-compatible API.",
                raw=job,
            )
        return self.read(job)

    # --- what jobs report --------------------------------------------------------------------

    @override
    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        entries: list[dict[str, Any]] = []
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            items, cursor = self._connection.page(
                self._jobs.list_events, ref.id, limit=_EVENTS_A_PAGE, after=cursor
            )
            entries += items
            known = after is not None and any(str(item["id"]) == after for item in items)
            # Newest first: what follows on later pages is older than the cursor.
            if cursor is None or cursor in seen or (known and not _rising(items)):
                return list(after_cursor(ordered(entries), after))
            seen.add(cursor)

    @override
    def checkpoints(self, ref: JobRef) -> Sequence[Checkpoint]:
        client = self._connection.client
        listed = self._connection.pages(
            client.fine_tuning.jobs.checkpoints.with_raw_response.list,
            ref.id,
            limit=_CHECKPOINTS_A_PAGE,
        )
        owner = self._owner
        found = [
            checkpoint(entry, owner=owner)
            for entry in listed
            if entry.get("fine_tuned_model_checkpoint")
        ]
        return sorted(found, key=lambda one: one.step or 0)

    @override
    def result_metrics(self, ref: JobRef) -> Sequence[JobEvent]:
        job = self._connection.ask(self._jobs.retrieve, ref.id)
        seen = self._job(job, "metrics")
        names = seen.facts.get("result_files")
        found: list[JobEvent] = []
        for name in names if isinstance(names, list) else []:
            content = self._result_file(str(name))
            at = seen.finished_at or seen.created_at or _LONG_AGO
            found += result_events(content, file_id=str(name), at=at)
        return sorted(found, key=lambda event: event.step or 0)

    def _result_file(self, file_id: str) -> bytes:
        """Return a result file; empty when it was deleted, as the events remain."""
        try:
            return self._connection.read(self._files.content, file_id)
        # Whatever the SDK raises is translated; only a file that is gone is an answer.
        except Exception as error:
            ours = self.translate(error, operation="metrics")
            if isinstance(ours, NotFoundError):
                return b""
            raise ours from error

    # --- manners -----------------------------------------------------------------------------

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        ours = self._connection.translated(error, operation=operation)
        return ours or super().translate(error, operation=operation)

    @override
    def close(self) -> None:
        self._connection.close()


def _dialect(options: ProviderOptions) -> DialectOptions:
    if isinstance(options, DialectOptions):
        return options
    return DialectOptions.model_validate(options.model_dump(exclude_unset=True))


def _rising(items: Sequence[Mapping[str, Any]]) -> bool:
    times = [item.get("created_at") for item in items]
    numbers = [time for time in times if isinstance(time, int | float)]
    return len(numbers) > 1 and numbers[0] < numbers[-1]
