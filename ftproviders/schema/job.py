"""Jobs: what is asked for, how it is named, how it stands, what it reports."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import override

from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.ref import Ref
from ftproviders.schema.value import FrozenJson, FrozenNumbers, UtcDatetime, Value

__all__ = [
    "Absent",
    "AccountInfo",
    "BaseModelInfo",
    "Checkpoint",
    "EventLevel",
    "FileRef",
    "FindResult",
    "Found",
    "JobEvent",
    "JobFailure",
    "JobPage",
    "JobRef",
    "JobSnapshot",
    "JobSpec",
    "JobStatus",
    "ModelSource",
    "NotSeen",
    "SubmissionQuery",
    "TunedModel",
]


class JobStatus(StrEnum):
    """How a job stands. Nothing terminal ever comes back to life."""

    PENDING = "pending"
    VALIDATING = "validating"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The provider used a word that we do not know; see ``raw_status``."""

    @property
    def terminal(self) -> bool:
        """True when the job will never change again."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


class JobSpec(Value):
    """What the user asks for. One file can serve several providers."""

    model_config = ConfigDict(allow_inf_nan=False)

    provider: str
    """Provider name; underscores are accepted for dashes."""
    base_model: str | Mapping[str, str]
    """Model to tune; or a mapping provider -> model, so that one spec runs on several."""
    training_file: str
    """Path of the training file (chat JSONL)."""
    validation_file: str | None = None
    """Path of the validation file."""
    method: Method = Method.SUPERVISED
    hyperparameters: Hyperparameters = Hyperparameters()
    suffix: str | None = None
    """Text that the provider puts into the tuned model's name."""
    seed: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """Random seed; the bounds are those of the OpenAI description."""
    options: Mapping[str, FrozenJson] = {}
    """Provider name -> what that provider alone has."""
    max_cost_usd: Annotated[float, Field(ge=0)] | None = None
    """Refuse when the plan costs more, or when its cost is unknown."""
    strict: bool = False
    """Refuse when a setting would be ignored."""
    note: str | None = None
    """Free text for the journal."""

    @model_validator(mode="before")
    @classmethod
    def _dashes(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        fixed = dict(data)
        if isinstance(fixed.get("provider"), str):
            fixed["provider"] = fixed["provider"].replace("_", "-")
        for key in ("options", "base_model"):
            if isinstance(fixed.get(key), Mapping):
                fixed[key] = {str(k).replace("_", "-"): v for k, v in fixed[key].items()}
        return fixed

    @model_validator(mode="after")
    def _writable(self) -> Self:
        """Refuse text that no JSON can carry, before anything depends on it."""
        try:
            self.model_dump_json()
        except ValueError as error:
            raise ValueError(
                "it holds text that is not valid Unicode, or a number that is not finite"
            ) from error
        return self


class JobRef(Ref):
    """The name of a job, written ``provider:[account/]id``."""

    noun = "job"
    example = ", for instance openai:ftjob-abc123"


class ModelSource(StrEnum):
    """Where a model is, in the terms a host understands."""

    LOCAL_PATH = "local-path"
    HUB = "hub"
    AZUREML_MODEL = "azureml-model"
    PROVIDER_MODEL = "provider-model"


class TunedModel(Value):
    """A fine-tuned model, or a checkpoint of one."""

    source: ModelSource
    name: str
    """Path, repository or model name, as `source` says."""
    provider: str
    base_model: str | None = None

    @override
    def __str__(self) -> str:
        return self.name


class JobFailure(Value):
    """Why a job failed, in the provider's words."""

    message: str
    code: str | None = None
    param: str | None = None
    hint: str = ""
    """What it means and what to do about it, where that is known."""
    rows: tuple[int, ...] = ()
    """Lines of the file that the provider names, from 1."""


class JobSnapshot(Value):
    """A job at one moment. It never changes; a refresh makes a new one."""

    ref: JobRef
    status: JobStatus
    raw_status: str
    """The provider's own word."""
    base_model: str | None = None
    model: TunedModel | None = None
    """The tuned model, once it is ready. Ready is not deployed."""
    created_at: UtcDatetime | None = None
    finished_at: UtcDatetime | None = None
    trained_tokens: Annotated[int, Field(ge=0)] | None = None
    error: JobFailure | None = None
    resumable: bool = False
    """True when ``resume`` continues where the job stopped."""
    changing: bool = False
    """True while a job is on its way into its pause or out of it: it will stop, or go on, soon."""
    submission_id: str | None = None
    """Our marker, if the provider gave it back."""
    step: int | None = None
    """Optimizer steps done."""
    total_steps: int | None = None
    training_files: tuple[str, ...] = ()
    """Ids or names of the files, as far as the provider names them (for weak matches)."""
    facts: FrozenJson = {}
    """What the provider tells beyond the fields above; reports show it. These names have a fixed
    meaning, every other is shown as it is: ``settings`` (in force, by our names, with ``method``,
    ``seed`` and ``suffix``), ``options`` (by the names of the provider's options), ``versions``,
    ``hardware``, ``files`` (objects with ``purpose``, ``name``, ``id`` where that is another,
    ``sha256``, ``bytes``), ``chat_template``, ``spec`` (a `JobSpec`), ``units`` (name of a metric
    -> unit). Never a secret."""

    @property
    def at_rest(self) -> bool:
        """True when nothing happens any more by itself: it has ended, or is paused for good."""
        return self.status.terminal or (self.status is JobStatus.PAUSED and not self.changing)


class EventLevel(StrEnum):
    """How important an event is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class JobEvent(Value):
    """Something that happened in a job. Events come oldest first."""

    id: str
    """Also the cursor: pass it as ``after`` to go on from here."""
    created_at: UtcDatetime
    level: EventLevel = EventLevel.INFO
    message: str
    kind: Literal["message", "metrics"] = "message"
    step: int | None = None
    total_steps: int | None = None
    """Optimizer steps of the whole training, where the event tells it."""
    metrics: FrozenNumbers = {}
    """Name -> number, for instance ``train_loss``; empty for plain messages."""


class Checkpoint(Value):
    """A state of the model that was kept during training."""

    id: str
    created_at: UtcDatetime | None = None
    step: int | None = None
    model: TunedModel
    metrics: FrozenNumbers = {}


class FileRef(Value):
    """A file at the provider."""

    provider: str
    id: str
    name: str
    sha256: str
    """SHA-256 of the bytes that were really sent."""
    bytes: Annotated[int, Field(ge=0)]
    purpose: str = "training"
    expires_at: UtcDatetime | None = None
    ready: bool = True
    """False while the provider still has to process it before a job can use it."""


class JobPage(Value):
    """Jobs of one list call, newest first."""

    jobs: tuple[JobSnapshot, ...]
    cursor: str | None = None
    """Pass it for the next page; None = this was the last."""


class SubmissionQuery(Value):
    """What to look for when asking a provider whether a submission has a job there."""

    submission_id: str
    """Our marker: metadata, tag, label or name."""
    base_model: str
    file_ids: tuple[str, ...] = ()
    """Files of this submission at the provider, where they are known."""
    file_digests: tuple[str, ...] = ()
    """First 16 hexadecimal digits of each file's SHA-256; a name of ours holds ``.<digits>.``."""

    def names_file(self, name: str) -> bool:
        """Say whether `name`, the id or name of a file at the provider, is one of this query's."""
        return name in self.file_ids or any(f".{digits}." in name for digits in self.file_digests)


class Found(Value):
    """The submission has this job: its marker says so."""

    snapshot: JobSnapshot


class NotSeen(Value):
    """No job with the marker was listed. Lists may lag, so this proves nothing."""

    similar: tuple[JobSnapshot, ...] = ()
    """Jobs with the same file and model but no marker of ours: reported, never adopted."""


class Absent(Value):
    """There is no such job: said only by a provider that reads its own writes."""


FindResult = Found | NotSeen | Absent


class AccountInfo(Value):
    """What one harmless read told about an account."""

    account: str
    detail: str = ""
    """One line for ``doctor``."""


class BaseModelInfo(Value):
    """A model that a provider can tune or serve."""

    name: str
    provider: str
    description: str = ""
    methods: tuple[Method, ...] = ()
    tuned: bool = False
    """True for a fine-tuned model of the user's."""
    details: FrozenJson = {}
