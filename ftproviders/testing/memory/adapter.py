"""The training adapter of the in-memory provider."""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from ftproviders.errors import ConfigurationError, DatasetError, FineTuneError
from ftproviders.provider import ProviderOptions, TrainingAdapter
from ftproviders.provider.folders import whole_folder
from ftproviders.schema.dataset import DatasetStatistics, PreparedFile
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.file import DataFile
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    AccountInfo,
    BaseModelInfo,
    Checkpoint,
    FileRef,
    FindResult,
    JobEvent,
    JobPage,
    JobRef,
    JobSnapshot,
    JobSpec,
    SubmissionQuery,
    TunedModel,
)
from ftproviders.schema.plan import Assessment, CostEstimate
from ftproviders.schema.value import JsonValue
from ftproviders.testing.memory import PROVIDER, exporting, wire
from ftproviders.testing.memory.connection import Connection, translated
from ftproviders.testing.memory.options import MARKER, MemoryOptions, MemorySettings
from ftproviders.testing.memory.server import MemoryServer
from ftproviders.testing.memory.service import BASE_MODELS, RETIRED_MODELS

__all__ = ["MemoryAdapter"]

_DEFAULT_EPOCHS = 3
_DEFAULTS: Mapping[str, JsonValue] = {
    "n_epochs": _DEFAULT_EPOCHS,
    "batch_size": "auto",
    "learning_rate_multiplier": "auto",
}
_BYTES_PER_TOKEN = 4


def _refuse_unknown_model(name: str) -> None:
    known = sorted({*BASE_MODELS, *RETIRED_MODELS})
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    raise ConfigurationError(
        f"Provider memory has no model {name!r}.",
        provider="memory",
        operation="plan",
        hint=(f"Did you mean {near[0]!r}? " if near else "") + f"It has: {', '.join(BASE_MODELS)}.",
    )


class MemoryAdapter(TrainingAdapter):
    """Tunes nothing and remembers everything.

    Args:
        settings: Connection settings.
        server: Server in this process; None = the one in the settings' folder.
    """

    info = PROVIDER

    def __init__(self, settings: MemorySettings, *, server: MemoryServer | None = None) -> None:
        super().__init__(settings)
        self._settings = settings
        self._connection = Connection(settings, server)

    @override
    def account(self) -> str:
        return self._connection.account

    @override
    def public_account(self) -> str | None:
        return self._connection.public_account

    @override
    def free(self) -> bool:
        return not self._settings.paid

    @override
    def check(self) -> AccountInfo:
        with self._translating("check"):
            self._connection.ask("models")
        return AccountInfo(account=self.account(), detail="the server answers")

    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        assessment = super().assess(spec, options=options, statistics=statistics)
        _refuse_unknown_model(str(spec.base_model))
        stated = spec.hyperparameters.n_epochs
        epochs = stated if isinstance(stated, int) else _DEFAULT_EPOCHS
        tokens = statistics.text_bytes / _BYTES_PER_TOKEN * epochs
        return Assessment(
            resolved={**_DEFAULTS, **assessment.resolved},
            mapped=assessment.mapped,
            ignored=assessment.ignored,
            cost=self._cost(tokens),
        )

    def _cost(self, tokens: float) -> CostEstimate:
        price = self._settings.usd_per_million_tokens
        if not self._settings.paid:
            return CostEstimate(usd=0.0, basis="free")
        if price is None:
            return CostEstimate(basis="FTPROVIDERS_MEMORY_USD_PER_MILLION_TOKENS is not set")
        return CostEstimate(
            usd=tokens * price / 1_000_000,
            basis=f"about {tokens:.0f} training tokens x ${price:g} per million",
            source="FTPROVIDERS_MEMORY_USD_PER_MILLION_TOKENS",
        )

    @override
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        with self._translating("upload"):
            content = self._content(file)
            entry = self._connection.ask(
                "upload",
                name=file.name,
                purpose=purpose,
                content=base64.b64encode(content).decode("ascii"),
                metadata={MARKER: submission_id},
            )
            digest = hashlib.sha256(content).hexdigest()
            return wire.file_ref(entry, sha256=digest, size_bytes=len(content))

    def _content(self, file: PreparedFile) -> bytes:
        try:
            return file.path.read_bytes()
        except OSError as error:
            raise DatasetError(
                f"{file.path} cannot be read: {error.strerror}.",
                provider=self.info.name,
                operation="upload",
                hint="Put the file back; nothing was sent.",
            ) from error

    @override
    def files(self) -> Sequence[DataFile]:
        with self._translating("files"):
            return [wire.data_file(entry) for entry in self._connection.pages("files")]

    @override
    def find_file(self, sha256: str, *, size_bytes: int) -> FileRef | None:
        with self._translating("find_file"):
            for entry in self._connection.pages("files"):
                if entry["sha256"] == sha256 and entry["bytes"] == size_bytes:
                    return wire.file_ref(entry, sha256=sha256, size_bytes=size_bytes)
        return None

    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        with self._translating("download_file"):
            entry = self._connection.ask("download_file", id=file_id)
            content = base64.b64decode(entry["content"])
            target.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            return wire.file_ref(entry, sha256=digest, size_bytes=len(content))

    @override
    def delete_file(self, file: FileRef) -> None:
        with self._translating("delete_file"):
            self._connection.ask("delete_file", id=file.id)

    @override
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        with self._translating("create"):
            chosen = MemoryOptions.model_validate(options.model_dump())
            body = wire.create_body(
                self.info, spec, options=chosen, files=files, submission_id=submission_id
            )
            return self._snapshot(self._connection.ask("create", **body)).ref

    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        with self._translating("find"):
            # The server could filter by metadata; it is not trusted to.
            jobs = [self._snapshot(job) for job in self._connection.pages("find")]
            return wire.matched(query, jobs)

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        return self._job("retrieve", ref)

    @override
    def cancel(self, ref: JobRef) -> JobSnapshot:
        return self._job("cancel", ref)

    @override
    def pause(self, ref: JobRef) -> JobSnapshot:
        return self._job("pause", ref)

    @override
    def resume(self, ref: JobRef) -> JobSnapshot:
        return self._job("resume", ref)

    @override
    def jobs(self, *, cursor: str | None = None) -> JobPage:
        with self._translating("jobs"):
            page = self._connection.ask("jobs", **({} if cursor is None else {"after": cursor}))
            jobs = tuple(self._snapshot(job) for job in page["data"])
            return JobPage(jobs=jobs, cursor=jobs[-1].ref.id if page["has_more"] else None)

    @override
    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        with self._translating("events"):
            start = {} if after is None else {"after": after}
            entries = self._connection.pages("events", id=ref.id, **start)
            return [wire.event(entry) for entry in entries]

    @override
    def checkpoints(self, ref: JobRef) -> Sequence[Checkpoint]:
        with self._translating("checkpoints"):
            entries = self._connection.pages("checkpoints", id=ref.id)
            return [wire.checkpoint(entry) for entry in entries]

    @override
    def models(self) -> Sequence[BaseModelInfo]:
        with self._translating("models"):
            return [
                BaseModelInfo(
                    name=entry["id"],
                    provider=self.info.name,
                    description=entry["description"],
                    methods=() if "base_model" in entry else (Method.SUPERVISED, Method.DPO),
                    tuned="base_model" in entry,
                )
                for entry in self._connection.pages("models")
            ]

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        def otherwise(other: Exception) -> FineTuneError:
            return super(MemoryAdapter, self).translate(other, operation=operation)

        return translated(error, operation=operation, otherwise=otherwise)

    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        exporting.refuse_form(format, weights)
        with (
            self._translating("export"),
            whole_folder(folder, provider=self.info.name) as draft,
        ):
            answer = self._connection.ask("weights", model=model.name)
            asked = exporting.first_question(answer["rows"])
            reply = self._connection.ask("chat", model=model.name, messages=asked)["text"]
            verification = exporting.write_model(
                draft, answer, model=model, form=format, reply=reply
            )
            return ExportedModel(
                provider=self.info.name,
                format=format,
                folder=folder,
                base_model=answer["base_model"],
                files={path.name: path.stat().st_size for path in draft.iterdir()},
                verification=verification,
            )

    def _job(self, operation: str, ref: JobRef) -> JobSnapshot:
        with self._translating(operation):
            return self._snapshot(self._connection.ask(operation, id=ref.id))

    def _snapshot(self, job: dict[str, Any]) -> JobSnapshot:
        return wire.snapshot(job, account=self.public_account())

    @contextmanager
    def _translating(self, operation: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            ours = self.translate(error, operation=operation)
            if ours is error:
                raise
            raise ours from error
