"""The adapter that a training provider writes.

An adapter translates and calls. It never retries, sleeps, prints, logs a secret, opens the journal
or knows another adapter. Five methods must be written; each other one has a working default.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    MissingDependencyError,
    ProviderConnectionError,
    ProviderTimeoutError,
    UnexpectedResponseError,
    UnsupportedFeatureError,
)
from ftproviders.provider.assess import assess_from_info
from ftproviders.provider.info import Feature, ProviderInfo
from ftproviders.provider.options import ProviderOptions, ProviderSettings
from ftproviders.schema.dataset import Dataset, DatasetStatistics, PreparedFile
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.file import DataFile
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
from ftproviders.schema.plan import Assessment
from ftproviders.schema.value import JsonValue

__all__ = ["TrainingAdapter", "missing_modules"]


def missing_modules(info: ProviderInfo) -> MissingDependencyError | None:
    """Say which of the provider's modules cannot be found, without importing any of them."""
    missing = [name for name in info.modules if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return MissingDependencyError(
        f"Provider {info.name} needs {', '.join(missing)}: not installed.",
        provider=info.name,
        hint=f"Run: {info.install_line}",
    )


def translated_by_type(error: Exception, *, provider: str, operation: str) -> FineTuneError:
    """Turn an exception that no SDK mapping knows into one of ours, by its type alone.

    Its text is not quoted, since it may hold a key.
    """
    kind: type[ProviderTimeoutError | ProviderConnectionError | UnexpectedResponseError]
    if isinstance(error, TimeoutError):
        kind, what, hint = ProviderTimeoutError, "no answer came in time", "Try again later."
    elif isinstance(error, ConnectionError):
        kind, what = ProviderConnectionError, "the connection could not be made, or broke"
        hint = "Check the network and the provider's address, then try again."
    elif isinstance(error, OSError) and error.filename is not None:
        return ConfigurationError(
            f"{provider}: {operation} failed: {error.strerror}: {error.filename}.",
            provider=provider,
            operation=operation,
            hint="Correct the folder or its permissions, or set FTPROVIDERS_HOME to another.",
        )
    else:
        kind, what = UnexpectedResponseError, "the answer could not be read"
        hint = "Try again; if it stays so, run with --debug and report it."
    return kind(
        f"{provider}: {operation} failed: {what} ({type(error).__name__}).",
        provider=provider,
        operation=operation,
        hint=hint,
    )


class TrainingAdapter(ABC):
    """One training provider, as the runtime sees it.

    Subclasses set `info` and take settings *or* a ready SDK client in their constructor (the test
    seam). In every method `spec.base_model` is a string: the runtime has chosen this provider's
    entry of a mapping.
    """

    info: ClassVar[ProviderInfo]

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings

    @override
    def __repr__(self) -> str:
        # Never the settings: some hold keys.
        return f"<{type(self).__name__} provider={self.info.name!r}>"

    # --- must be written ---------------------------------------------------------------------

    @abstractmethod
    def account(self) -> str:
        """Return the full account string, without network and without any key in it.

        Two submissions with equal content are the same job only within one account.
        """

    @abstractmethod
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        """Send a file and hash what is really sent.

        Args:
            file: The local file.
            purpose: ``training`` or ``validation``.
            submission_id: Our marker.

        Raises:
            ProviderError: One attempt was made and failed.
        """

    @abstractmethod
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        """Create the job: one attempt, the SDK's own retries off.

        Args:
            spec: What the user asked for; `base_model` is a string.
            options: The provider's own options, checked.
            files: What `upload` returned, training file first.
            submission_id: Our marker, to be carried as metadata, tag, label or name.

        Raises:
            ProviderError: With `maybe_executed` when the job may exist all the same.
        """

    @abstractmethod
    def find(self, query: SubmissionQuery) -> FindResult:
        """Look for the job of a submission: page through everything, match on the client.

        A server-side filter is never trusted. ``Absent`` is allowed only where the provider reads
        its own writes (`ProviderInfo.reads_own_writes`).
        """

    @abstractmethod
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        """Read a job. An unknown status word becomes ``unknown``, never an exception.

        Raises:
            NotFoundError: There is no such job in this account.
        """

    # --- usually not overridden --------------------------------------------------------------

    def public_account(self) -> str | None:
        """Return what a ref writes for the account: None where it is the public default.

        Override when users may have more than one account or address at this provider.
        """
        return None

    def free(self) -> bool:
        """Say whether jobs cost nothing here. Override when it depends on the address."""
        return self.info.free

    def preflight(self) -> ConfigurationError | None:
        """Say why this adapter cannot work, or None. No network.

        Override to add a missing key or endpoint; call super first.
        """
        return missing_modules(self.info)

    def check(self) -> AccountInfo:
        """Make one harmless read, for ``doctor``. Override when the provider can be asked.

        Raises:
            ConfigurationError: Not usable as it is set up.
            ProviderError: The provider refused.
        """
        problem = self.preflight()
        if problem is not None:
            raise problem
        return AccountInfo(account=self.account(), detail="ready")

    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        """Say what would be sent. May read, never writes.

        Override to add prices, quota, templates or resolved defaults; start from super's answer.

        Raises:
            ConfigurationError: A stated value is outside the provider's bounds.
            UnsupportedFeatureError: The provider does not have the method.
        """
        del options, statistics
        return assess_from_info(self.info, spec)

    def identity(self, spec: JobSpec, *, options: ProviderOptions) -> Mapping[str, JsonValue]:
        """Return what further tells two submissions apart; part of their identity. No network.

        Override where a setting is a name for something that may change behind it, such as the
        path of a template: return its digest. What is returned must never depend on defaults.
        """
        del spec, options
        return {}

    def prepare(self, dataset: Dataset, *, purpose: str, folder: Path) -> PreparedFile:
        """Turn our rows into the provider's. Pure; `folder` is for files that have to be written.

        The default sends the source bytes unchanged. Override when the provider's rows differ.
        """
        del folder
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in dataset.path.stem)[:80]
        return PreparedFile(
            path=dataset.path,
            name=f"{stem or 'data'}.{dataset.sha256[:16]}.jsonl",
            sha256=dataset.sha256,
            bytes=dataset.bytes,
            purpose=purpose,
        )

    def upload_steps(
        self, file: PreparedFile, *, purpose: str, submission_id: str
    ) -> Generator[Callable[[], FileRef | None]]:
        """Yield the requests of an upload one by one; the one that returns the file is the last.

        The runtime makes each request, and tries it again by itself after a passing fault. It
        closes the iterator in the end, also when it gave up. The default is `upload` as one
        request; override where a large file goes up in parts.
        """
        yield partial(self.upload, file, purpose=purpose, submission_id=submission_id)

    def look_up_file(self, file: FileRef) -> FileRef | None:
        """Ask for one file by its id; None = it is gone, broken, or nothing can be said.

        Override where lists of files may lag: a file that we sent is then not sent again.
        """
        del file
        return None

    def file_ready(self, file: FileRef) -> bool:
        """Say whether a job can use the file by now; asked only of files that were not `ready`.

        Override where files are processed after they were sent.

        Raises:
            InvalidRequestError: The provider has found the file unusable.
        """
        return True

    def result_metrics(self, ref: JobRef) -> Sequence[JobEvent]:
        """Return numbers of a job that stand elsewhere than in its events, in order of steps.

        Override where the provider writes result files. What they say of a step goes before what
        the events say.
        """
        return ()

    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        """Turn any exception of the SDK into one of ours: by type, status and code, never by prose.

        Override to map the SDK's exceptions; call super for the rest.
        """
        if isinstance(error, FineTuneError):
            return error
        return translated_by_type(error, provider=self.info.name, operation=operation)

    def close(self) -> None:
        """Release connections and processes. Override when there are any; must be repeatable."""

    # --- features: override and declare together ----------------------------------------------

    def cancel(self, ref: JobRef) -> JobSnapshot:
        """Ask the provider to cancel; return the job as it then is."""
        raise self._lacks(Feature.CANCEL)

    def pause(self, ref: JobRef) -> JobSnapshot:
        """Ask the provider to pause; return the job as it then is."""
        raise self._lacks(Feature.PAUSE)

    def resume(self, ref: JobRef) -> JobSnapshot:
        """Continue a paused job; return the job as it then is."""
        raise self._lacks(Feature.RESUME)

    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        """Return the events after the event with id `after`, oldest first."""
        raise self._lacks(Feature.EVENTS)

    def checkpoints(self, ref: JobRef) -> Sequence[Checkpoint]:
        """Return the job's checkpoints, oldest first."""
        raise self._lacks(Feature.CHECKPOINTS)

    def jobs(self, *, cursor: str | None = None) -> JobPage:
        """Return one page of the account's jobs, newest first."""
        raise self._lacks(Feature.JOBS)

    def models(self) -> Sequence[BaseModelInfo]:
        """Return the models that can be tuned here, and the user's tuned ones."""
        raise self._lacks(Feature.MODELS)

    def files(self) -> Sequence[DataFile]:
        """Return every data file of fine-tuning in the account, whoever sent it."""
        raise self._lacks(Feature.FILES)

    def find_file(self, sha256: str, *, size_bytes: int) -> FileRef | None:
        """Return a usable file at the provider with these bytes, or None."""
        raise self._lacks(Feature.FIND_FILE)

    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        """Write a data file that the provider has to `target`; return what was received.

        A try that follows a broken one begins anew.

        Args:
            file_id: Its id, as jobs and `upload` name it; whoever sent the file.
            target: A file to write; what it holds is replaced.

        Returns:
            Name of the file at the provider, digest and size of the bytes that were written.

        Raises:
            NotFoundError: There is no such file, or not any more.
            ProviderError: The provider does not hand it out.
        """
        raise self._lacks(Feature.DOWNLOAD_FILE)

    def delete_file(self, file: FileRef) -> None:
        """Delete a file at the provider."""
        raise self._lacks(Feature.DELETE_FILE)

    def delete_model(self, model: str) -> None:
        """Delete a tuned model by its name; what was trained is gone for good.

        Raises:
            NotFoundError: There is no such model.
        """
        raise self._lacks(Feature.DELETE_MODEL)

    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,  # noqa: A002 - the word that users and the command line have
        weights: str | None = None,
    ) -> ExportedModel:
        """Write a tuned model to files, and check that they answer as the model does.

        The folder appears whole or not at all.

        Args:
            model: A tuned model or checkpoint of this provider.
            folder: Where to write; absent or empty.
            format: In what form.
            weights: Number format of the weights, where the form has several; None = the one
                nearest to how the model was trained.

        Raises:
            ConfigurationError: The form cannot be had of this model, or the folder is taken.
            NotFoundError: There is no such model.
            UnexpectedResponseError: What was written answers otherwise than the model.
        """
        raise self._lacks(Feature.EXPORT)

    def _lacks(self, feature: Feature) -> UnsupportedFeatureError:
        return UnsupportedFeatureError(
            f"Provider {self.info.name} has no {feature.value.replace('_', ' ')}.",
            feature=feature.value,
            provider=self.info.name,
            operation=feature.value,
            hint=f"`ftproviders providers {self.info.name}` lists what it has.",
        )
