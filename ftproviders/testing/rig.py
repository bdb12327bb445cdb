"""What the contract suite must know of a provider: subclass `Rig`, and `HostingRig` for a host.

A rig stands on the *other* side of the wire: it knows what the provider really received, and can
make the provider say things. All differences between providers are in `ProviderInfo` and here; the
tests have no branch for any of them.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

from ftproviders.provider import Feature, HostingAdapter, ProviderInfo, TrainingAdapter
from ftproviders.schema.dataset import Dataset, PreparedFile
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobSpec, JobStatus, TunedModel
from ftproviders.schema.value import JsonValue
from ftproviders.testing.checks import require

__all__ = ["Finished", "HostingRig", "Rig", "Submitted", "new_marker"]

Number = int | float | str

_VALUES: Mapping[str, Number] = {
    "n_epochs": 2,
    "batch_size": 3,
    "learning_rate": 0.0003,
    "learning_rate_multiplier": 1.5,
    "max_steps": 7,
    "max_length_tokens": 64,
    "gradient_accumulation_steps": 2,
    "warmup_ratio": 0.125,
    "weight_decay": 0.015625,
    "lr_scheduler": "cosine",
    "lora_r": 4,
    "lora_alpha": 9.5,
    "lora_dropout": 0.0625,
    "beta": 0.375,
}


def new_marker() -> str:
    """Return a fresh submission id: ``ft`` and 24 characters of lower-case base32."""
    return "ft" + base64.b32encode(secrets.token_bytes(15)).decode("ascii").lower()


@dataclass(frozen=True)
class Submitted:
    """A job that a rig has sent."""

    ref: JobRef
    submission_id: str
    files: tuple[FileRef, ...]


@dataclass(frozen=True)
class Finished:
    """The one job of a rig that went all the way to success."""

    submitted: Submitted
    snapshots: tuple[JobSnapshot, ...]
    """Each snapshot that was read on the way, the terminal one last."""
    copies: tuple[Mapping[str, Any], ...]
    """What each of them held at the moment when it was read."""

    @property
    def ref(self) -> JobRef:
        """The job."""
        return self.submitted.ref

    @property
    def last(self) -> JobSnapshot:
        """The terminal snapshot."""
        return self.snapshots[-1]


class Rig(ABC):
    """One provider under test, with the hands that the tests need on its other side."""

    info: ProviderInfo
    """What the adapter says of itself."""
    target: ClassVar[str]
    """``module:ATTRIBUTE`` of the ProviderInfo, as in the entry point."""
    base_model: str
    statuses: Mapping[str, JobStatus]
    """Every status word of the provider -> what it must become."""
    unknown_word: str = "reticulating"
    """A status word that the provider does not have today."""
    options: Mapping[str, JsonValue] = {}
    """An example for each of the provider's job options; they are looked for in `sent`."""
    options_sent: Mapping[str, JsonValue] = {}
    """What becomes of those examples on the way, where that is more than the same value."""
    values: Mapping[str, Number] = {}
    """Values for hyperparameters where the suite's own do not fit."""
    secret: str | None = None
    """The key that the adapter's settings hold; it must show up nowhere. None = no key at all."""
    crowd_size: int = 0
    """How many more jobs give the provider's job list several pages; 0 = it has no pages."""
    most_reads: int = 1000
    """How often a job is read before the suite says that it never ends."""

    # --- must be written ---------------------------------------------------------------------

    @abstractmethod
    def make_adapter(self) -> TrainingAdapter:
        """Return a new adapter for the same account at the same server."""

    @abstractmethod
    def training_file(self, method: Method) -> Path:
        """Return a small valid training file for `method`; always the same path and content."""

    @abstractmethod
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        """Return the create request of a job as the provider received it, flat: name -> value."""

    @abstractmethod
    def snapshot_with_word(self, word: str) -> JobSnapshot:
        """Let the provider answer with status `word`, and read that through the adapter."""

    # --- override where the provider has it --------------------------------------------------

    def validation_file(self, method: Method) -> Path:
        """Return a small valid validation file; default: the training file."""
        return self.training_file(method)

    def needed_options(self, method: Method) -> Mapping[str, JsonValue]:
        """Return the options without which there is no job of `method`; default none."""
        del method
        return {}

    def make_foreign_job(self, file: FileRef) -> JobRef | None:
        """Let somebody else make a job of the same file and model, without our marker.

        Default: None, the provider has no jobs but ours.
        """
        del file
        return None

    def adapter_with_lying_filter(self) -> TrainingAdapter:
        """Return an adapter (of `adapter`) whose server answers every filtered list unfiltered."""
        return self.adapter()

    def before_read(self) -> None:
        """Do what makes a job go on before it is read again; default nothing."""
        return

    def close(self) -> None:
        """Close every adapter of `adapter`; override to stop the server too, and call super."""
        for made in self._made:
            made.close()

    # --- what the tests use ------------------------------------------------------------------

    @cached_property
    def _made(self) -> list[TrainingAdapter]:
        return []

    def adapter(self) -> TrainingAdapter:
        """Return a new adapter that `close` will close."""
        self._made.append(self.make_adapter())
        return self._made[-1]

    @property
    def listed_model(self) -> str:
        """A base model that `models` lists; default: the rig's own."""
        return self.base_model

    @property
    def method(self) -> Method:
        """Supervised where the provider has it, else its first method by name."""
        if Method.SUPERVISED in self.info.methods:
            return Method.SUPERVISED
        return min(self.info.methods)

    def value(self, name: str, method: Method) -> Number:
        """Return a value for a hyperparameter: within bounds, and nobody's default."""
        value = self.values.get(name, _VALUES[name])
        knob = self.info.hyperparameter(name, method)
        if knob is None or isinstance(value, str):
            return value
        kind = type(value)
        if knob.minimum is not None:
            value = max(value, kind(knob.minimum))
        return value if knob.maximum is None else min(value, kind(knob.maximum))

    def declared(self, method: Method) -> Mapping[str, Number]:
        """Return a value for each hyperparameter that the provider declares for `method`."""
        names = [knob.name for knob in self.info.hyperparameters if method in knob.methods]
        return {name: self.value(name, method) for name in names}

    def undeclared(self, method: Method) -> Mapping[str, Number]:
        """Return a value for each hyperparameter that the provider does not declare."""
        known = self.declared(method)
        names = [name for name in Hyperparameters.model_fields if name not in known]
        return {name: self.value(name, method) for name in names}

    def spec(self, *, method: Method | None = None, **fields: Any) -> JobSpec:
        """Return a small spec for this provider with `fields` set."""
        chosen = method or self.method
        given = {
            "provider": self.info.name,
            "base_model": self.base_model,
            "training_file": str(self.training_file(chosen)),
            "method": chosen,
        }
        return JobSpec.model_validate({**given, **fields})

    def dataset(self, path: Path) -> Dataset:
        """Return a file as validation would describe it."""
        content = path.read_bytes()
        return Dataset(
            path=path,
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            rows=sum(1 for line in content.split(b"\n") if line.strip()),
        )

    def prepare(
        self, adapter: TrainingAdapter, path: Path, *, purpose: str = "training"
    ) -> PreparedFile:
        """Prepare a file with an empty folder for what the adapter writes."""
        return adapter.prepare(
            self.dataset(path), purpose=purpose, folder=Path(mkdtemp(prefix="ftproviders-rig-"))
        )

    def submit(
        self,
        adapter: TrainingAdapter,
        spec: JobSpec | None = None,
        *,
        options: Mapping[str, JsonValue] | None = None,
        submission_id: str | None = None,
    ) -> Submitted:
        """Do what the runtime does for a submission: prepare, upload, create; each once."""
        asked = spec or self.spec()
        marker = submission_id or new_marker()
        paths = {"training": asked.training_file, "validation": asked.validation_file}
        files = [
            adapter.upload(
                self.prepare(adapter, Path(path), purpose=purpose),
                purpose=purpose,
                submission_id=marker,
            )
            for purpose, path in paths.items()
            if path is not None
        ]
        given = {**self.needed_options(asked.method), **(options or {})}
        chosen = self.info.options_type.model_validate(given)
        ref = adapter.create(asked, options=chosen, files=files, submission_id=marker)
        return Submitted(ref=ref, submission_id=marker, files=tuple(files))

    def discard(self, adapter: TrainingAdapter, ref: JobRef) -> None:
        """Cancel a job that a test no longer needs, where the provider can."""
        if Feature.CANCEL in self.info.features:
            adapter.cancel(ref)

    def read_to_the_end(self, adapter: TrainingAdapter, ref: JobRef) -> Iterator[JobSnapshot]:
        """Read a job until it is terminal, giving each snapshot at the moment it is read.

        Raises:
            AssertionError: It does not end in `most_reads` reads.
        """
        words: list[str] = []
        while len(words) < self.most_reads:
            snapshot = adapter.retrieve(ref)
            words.append(snapshot.raw_status)
            yield snapshot
            if snapshot.status.terminal:
                return
            self.before_read()
        raise AssertionError(f"{ref} has not ended after {len(words)} reads: {words[-3:]}")

    def last(self, adapter: TrainingAdapter, ref: JobRef) -> JobSnapshot:
        """Read a job until it is terminal and return how it ended."""
        *_, last = self.read_to_the_end(adapter, ref)
        return last

    @cached_property
    def finished(self) -> Finished:
        """One job that was read until it succeeded; made on first use, shared by all tests.

        Raises:
            AssertionError: It ended in another way.
        """
        adapter = self.adapter()
        submitted = self.submit(adapter)
        snapshots: list[JobSnapshot] = []
        copies: list[Mapping[str, Any]] = []
        for snapshot in self.read_to_the_end(adapter, submitted.ref):
            snapshots.append(snapshot)
            copies.append(snapshot.model_dump(mode="json"))
        last = snapshots[-1]
        require(
            last.status is JobStatus.SUCCEEDED,
            f"the rig's job must succeed; it ended {last.status.value}: {last.error}",
        )
        return Finished(submitted=submitted, snapshots=tuple(snapshots), copies=tuple(copies))


class HostingRig(ABC):
    """One host under test."""

    info: ProviderInfo
    target: ClassVar[str]
    secret: str | None = None
    """The key that the adapter's settings hold; it must show up nowhere but in `credentials`."""
    question: str
    """Something to ask the tuned model."""
    most_reads: int = 1000

    @cached_property
    def _made(self) -> list[HostingAdapter]:
        return []

    def adapter(self) -> HostingAdapter:
        """Return a new adapter that `close` will close."""
        self._made.append(self.make_adapter())
        return self._made[-1]

    @cached_property
    def shared(self) -> HostingAdapter:
        """The adapter that the chats go through: some hosts load a model for each adapter."""
        return self.adapter()

    @abstractmethod
    def make_adapter(self) -> HostingAdapter:
        """Return a new adapter for the same account at the same server."""

    @abstractmethod
    def model(self) -> TunedModel:
        """Return a tuned model that the host can serve; made on first use."""

    @abstractmethod
    def expected(self, answer: str) -> bool:
        """Say whether `answer` is what the tuned model should say to `question`."""

    def unknown_model(self) -> TunedModel:
        """Return a model that the host does not have."""
        return self.model().model_copy(update={"name": self.model().name + "-nobody-has-this"})

    def before_read(self) -> None:
        """Do what makes a deployment go on before it is read again; default nothing."""
        return

    def close(self) -> None:
        """Close every adapter of `adapter`; override to stop the server too, and call super."""
        for made in self._made:
            made.close()
