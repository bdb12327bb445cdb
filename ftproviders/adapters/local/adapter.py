"""The training adapter: a job is a folder, a running job a process that holds the folder's lock."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.assessing import complete, used_packages
from ftproviders.adapters.local.exporting import export_model
from ftproviders.adapters.local.files import FileStore
from ftproviders.adapters.local.inputs import (
    base_model,
    further_identity,
    installed,
    template,
)
from ftproviders.adapters.local.machine import unsupported
from ftproviders.adapters.local.options import LocalOptions, LocalSettings
from ftproviders.adapters.local.runs import Runs
from ftproviders.adapters.local.settings import choose, resolve
from ftproviders.adapters.local.wire import (
    job_document,
    to_checkpoint,
    to_event,
)
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from ftproviders.provider import ProviderOptions, TrainingAdapter
from ftproviders.provider.machine import machine_name
from ftproviders.schema.dataset import DatasetStatistics, PreparedFile
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.file import DataFile
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import (
    Absent,
    AccountInfo,
    BaseModelInfo,
    Checkpoint,
    FileRef,
    FindResult,
    Found,
    JobEvent,
    JobPage,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
    NotSeen,
    SubmissionQuery,
    TunedModel,
)
from ftproviders.schema.plan import Assessment
from ftproviders.schema.value import JsonValue
from ftproviders.worker import hardware, process
from ftproviders.worker.basemodel import ALIAS, alias_folder
from ftproviders.worker.failures import explain
from ftproviders.worker.rundir import RunDirectory, now, private_folder, read_json

__all__ = ["LocalTrainingAdapter"]

_PAGE_ROWS = 50
_VERBS = {"create": "submit", "resume": "resume"}
_STALE_SECONDS = 3600.0
"""Age after which a prepared folder that nobody took over is removed."""


class LocalTrainingAdapter(TrainingAdapter):
    """Trains on this machine.

    Args:
        settings: Connection settings.
        program: Command of the worker; the test seam.
    """

    info = PROVIDER
    settings: LocalSettings

    def __init__(self, settings: LocalSettings, *, program: Sequence[str] | None = None) -> None:
        super().__init__(settings)
        self.program = list(program or process.python_command("ftproviders.worker.train"))
        self.folder = settings.home.absolute() / "local"
        self.runs = Runs(self.folder)
        self.store = FileStore(self.folder / "files")

    # --- who and whether ---------------------------------------------------------------------

    @override
    def account(self) -> str:
        return machine_name(self.settings.home.absolute())

    @override
    def preflight(self) -> ConfigurationError | None:
        return unsupported() or super().preflight()

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        if not isinstance(error, OSError) or isinstance(error, (TimeoutError, ConnectionError)):
            return super().translate(error, operation=operation)
        # A file that cannot be read or written: no worker was started, nothing is in doubt.
        return ConfigurationError(
            f"local: {operation} failed. {explain(error, {}).message}",
            provider="local",
            operation=operation,
            hint=f"The state of local jobs is in {self.folder} (FTPROVIDERS_HOME).",
        )

    @override
    def check(self) -> AccountInfo:
        problem = self.preflight()
        if problem is not None:
            raise problem
        kind = "bf16" if hardware.cpu_has_bf16() else "fp32"
        device = "an NVIDIA device" if hardware.has_nvidia_device() else f"CPU ({kind})"
        model = "converted" if alias_folder(self.settings.cache).is_dir() else "not fetched yet"
        return AccountInfo(account=self.account(), detail=f"ready; {device}; {ALIAS} {model}")

    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        chosen = choose(spec, _local(options))
        answer = super().assess(chosen.spec, options=chosen.options, statistics=statistics)
        return complete(answer, chosen, self.settings.cache)

    @override
    def identity(self, spec: JobSpec, *, options: ProviderOptions) -> Mapping[str, JsonValue]:
        return further_identity(spec, _local(options))

    # --- files -------------------------------------------------------------------------------

    @override
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        return self.store.add(file, purpose=purpose)

    @override
    def files(self) -> Sequence[DataFile]:
        return self.store.all()

    @override
    def find_file(self, sha256: str, *, size_bytes: int) -> FileRef | None:
        return self.store.find(sha256, size_bytes=size_bytes)

    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        # A run keeps its data when the file itself is deleted here.
        return self.store.copy(file_id, target=target, kept=self.runs.data_files(file_id))

    @override
    def delete_file(self, file: FileRef) -> None:
        self.store.delete(file)

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
        ref = JobRef(provider="local", id=submission_id)
        final = self.runs.at(submission_id)
        if final.exists():
            return ref
        self._sweep()
        document = self._document(spec, _local(options), files, submission_id)
        prepared = self._prepare(document, files, submission_id)
        word = self._launch(prepared, final)
        if word:  # it is ready, or found the run of another process
            return ref
        try:
            if word is not None and final.exists():
                return ref
            raise self._not_taken_over(ref, word, prepared, "create")
        finally:
            shutil.rmtree(prepared.path, ignore_errors=True)

    def _launch(self, prepared: RunDirectory, final: RunDirectory) -> str | None:
        return process.launch(
            [*self.program, str(prepared.path), str(final.path)],
            log=prepared.log,
            folder=self.runs.folder,
            environ=process.environment(threads=self.settings.threads),
            timeout_seconds=self.settings.start_seconds,
        )

    def _not_taken_over(
        self, ref: JobRef, word: str | None, run: RunDirectory, operation: str
    ) -> ProviderError:
        """Say what became of a worker that did not say its word."""
        if word is None:
            seconds = self.settings.start_seconds
            return ProviderTimeoutError(
                f"The training process did not start within {seconds:g} seconds.",
                provider="local",
                operation=operation,
                hint="Try again when the machine is less busy, or raise start_seconds.",
                ref=ref,
            )
        said = run.last_words() or "nothing"
        return ProviderUnavailableError(
            f"The training process ended before it took over its job. It said: {said}",
            provider="local",
            operation=operation,
            hint=f"Run `ftproviders doctor`, then {_VERBS[operation]} again.",
            maybe_executed=False,
        )

    def _document(
        self, spec: JobSpec, options: LocalOptions, files: Sequence[FileRef], submission_id: str
    ) -> dict[str, object]:
        chosen = choose(spec, options)
        given = template(chosen.options)
        document = job_document(
            spec,
            base_model=base_model(spec).name,
            settings=resolve(chosen.spec, chosen.options),
            chat_template=None if given is None else given.text,
            files=files,
            submission_id=submission_id,
        )
        return document | {
            "created_at": now(),
            "machine": self.account(),
            "cache": str(self.settings.cache.resolve()),
            "versions": {name: installed(name) for name in used_packages(chosen, self.info)},
            "guide": dict(options.guide),
        }

    def _prepare(
        self, document: dict[str, object], files: Sequence[FileRef], submission_id: str
    ) -> RunDirectory:
        """Make a whole run beside the runs; it becomes one when its worker renames it."""
        private_folder(self.runs.folder)
        prepared = self.runs.at(f".new-{submission_id}-{secrets.token_hex(4)}")
        prepared.path.mkdir(mode=0o700)
        try:
            for file in files:
                self.store.give(file, prepared.data(file.purpose))
            prepared.write_job(document)
            prepared.write_status({"status": "pending"})
        except BaseException:
            shutil.rmtree(prepared.path, ignore_errors=True)
            raise
        return prepared

    def _sweep(self) -> None:
        """Remove prepared folders whose maker died before its worker started."""
        for path in self.runs.folder.glob(".new-*"):
            abandoned = time.time() - path.stat().st_mtime > _STALE_SECONDS
            if abandoned and not process.alive(path / "lock"):
                shutil.rmtree(path, ignore_errors=True)

    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        if not self.runs.at(query.submission_id).exists():
            # A worker that is just starting will take over its folder, or find that it may not.
            starting = self.runs.folder.glob(f".new-{query.submission_id}-*")
            return NotSeen() if any(process.alive(p / "lock") for p in starting) else Absent()
        return Found(snapshot=self.retrieve(JobRef(provider="local", id=query.submission_id)))

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        run = self.runs.existing(ref)
        snapshot = self.runs.snapshot(run)
        asked = run.cancel_requested_at()
        if asked is None or snapshot.status.terminal:
            return snapshot
        if snapshot.status is JobStatus.PAUSED:
            return self.runs.finish_cancelled(run)
        if (datetime.now(UTC) - asked).total_seconds() > self.settings.grace_seconds:
            self.runs.signal(run, kill=True)
            return self.runs.finish_cancelled(run)
        return snapshot

    @override
    def cancel(self, ref: JobRef) -> JobSnapshot:
        run = self.runs.existing(ref)
        if self.runs.snapshot(run).status.terminal:
            return self.runs.snapshot(run)
        run.request_cancel()
        self.runs.signal(run, kill=False)
        return self.retrieve(ref)

    @override
    def pause(self, ref: JobRef) -> JobSnapshot:
        run = self.runs.existing(ref)
        if self.runs.goes_on(run, operation="pause").status is not JobStatus.PAUSED:
            self.runs.pause(run)
        return self.retrieve(ref)

    @override
    def resume(self, ref: JobRef) -> JobSnapshot:
        run = self.runs.existing(ref)
        snapshot = self.runs.goes_on(run, operation="resume")
        run.withdraw_pause()
        if snapshot.status is JobStatus.PAUSED:
            # Of two workers that start at once, one finds the lock taken and leaves.
            word = self._launch(run, run)
            if not word:
                raise self._not_taken_over(ref, word, run, "resume")
        return self.retrieve(ref)

    @override
    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        run = self.runs.existing(ref)
        self.runs.note_death(run)
        start = int(after) if after and after.isdigit() else 0
        return [to_event(line) for line in run.events(after=start)]

    @override
    def checkpoints(self, ref: JobRef) -> Sequence[Checkpoint]:
        run = self.runs.existing(ref)
        written = self.runs.snapshot(run).base_model
        folders = sorted(run.checkpoints.glob("step-*"))
        return [to_checkpoint(str(f), read_json(f / "ftproviders.json"), written) for f in folders]

    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        return export_model(self.settings, model, folder=folder, form=format, weights=weights)

    @override
    def jobs(self, *, cursor: str | None = None) -> JobPage:
        found = sorted(self.runs.all(), key=lambda pair: pair[0], reverse=True)
        rest = [pair for pair in found if cursor is None or pair[0] < cursor]
        page = rest[:_PAGE_ROWS]
        return JobPage(
            jobs=tuple(self.runs.snapshot(run) for _, run in page),
            cursor=page[-1][0] if len(rest) > _PAGE_ROWS else None,
        )

    @override
    def models(self) -> Sequence[BaseModelInfo]:
        base = BaseModelInfo(
            name=ALIAS,
            provider="local",
            description="SmolLM2-135M-Instruct, from a Python package; any folder or Hub name "
            "works too",
            methods=(Method.SUPERVISED, Method.DPO),
            details={"converted": alias_folder(self.settings.cache).is_dir()},
        )
        snapshots = [self.runs.snapshot(run) for _, run in sorted(self.runs.all(), reverse=True)]
        tuned = [
            BaseModelInfo(
                name=s.model.name,
                provider="local",
                description=f"{s.base_model} tuned by {s.ref}",
                tuned=True,
            )
            for s in snapshots
            if s.model is not None
        ]
        return [base, *tuned]


def _local(options: ProviderOptions) -> LocalOptions:
    return options if isinstance(options, LocalOptions) else LocalOptions()
