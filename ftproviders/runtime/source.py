"""An existing job as the beginning of a new one: what was asked for, and with which files.

What the journal keeps and what the service tells are put together. The service's word is taken
for settings that nobody is known to have stated, so that the same comes out with and without a
journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ftproviders import registry
from ftproviders.errors import ConfigurationError, JournalError, ProviderError
from ftproviders.journal import SubmissionRow
from ftproviders.planning import base_of
from ftproviders.provider import ProviderInfo
from ftproviders.runtime.session import Session
from ftproviders.schema.hyperparameters import Hyperparameters, Method
from ftproviders.schema.job import JobRef, JobSnapshot, JobSpec

__all__ = ["PURPOSES", "Source", "SourceFile", "known_spec", "read_source"]

PURPOSES = ("training", "validation")
_JOB_SETTINGS = ("method", "seed", "suffix")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A data file of a job, as far as anybody knows it."""

    path: Path | None = None
    """Where it was submitted from."""
    sha256: str | None = None
    """Digest of the file as it was submitted."""
    id: str | None = None
    """Its id at the provider."""
    name: str = ""
    """Its name there."""
    sent_sha256: str | None = None
    """Digest of what was sent, which a provider's own form of rows makes another one."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A job that a new one is made from."""

    info: ProviderInfo
    snapshot: JobSnapshot
    base_model: str | Mapping[str, str]
    """As it was written, with the models for other providers where there were any."""
    method: Method
    hyperparameters: Mapping[str, Any]
    settings: Mapping[str, Any]
    """``seed`` and ``suffix``, where they are known."""
    options: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, SourceFile]
    """By purpose."""
    told: frozenset[str] = frozenset()
    """Names of settings that only the service tells; who stated them is not known."""
    nameless: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the service tells and nobody else has."""
    warnings: Sequence[str] = ()

    @property
    def ref(self) -> JobRef:
        """The job."""
        return self.snapshot.ref

    @property
    def model(self) -> str:
        """The base model that was tuned."""
        if self.snapshot.base_model is not None:
            return self.snapshot.base_model
        if isinstance(self.base_model, str):
            return self.base_model
        return self.base_model.get(self.info.name, "")

    @property
    def root_model(self) -> str:
        """The model that everything began with, where a tuned model was tuned further."""
        # A path or a name on a hub may look like anything.
        return self.model if "/" in self.model else base_of(self.model)


def known_spec(
    session: Session, snapshot: JobSnapshot, submission_id: str | None
) -> JobSpec | None:
    """Return what was asked for: out of the journal, or as the provider tells it."""
    row = session.journal.submission(submission_id) if submission_id else None
    return _spec(row, snapshot)


def read_source(session: Session, ref: JobRef) -> Source:
    """Read a job, whoever made it. A journal helps and is not needed.

    Where the provider cannot be asked, what the journal has kept is used, with a warning.

    Raises:
        ProviderError: There is no such job, or the provider cannot be asked and the journal does
            not know the job.
        ConfigurationError: The provider is not set up here, and the journal does not know the job.
    """
    snapshot, warnings = _seen(session, ref)
    row = _row(session, snapshot)
    spec = _spec(row, snapshot)
    info = registry.info(snapshot.ref.provider)
    settings = {} if "spec" in snapshot.facts else _mapping(snapshot.facts.get("settings"))
    knobs, nameless = _knobs(settings)
    stated = {} if spec is None else dict(spec.hyperparameters.stated)
    options = _options(info, spec, snapshot)
    own = options.get(info.name, {})
    method, assumed = _method(info, spec, settings)
    job = {name: settings[name] for name in ("seed", "suffix") if name in settings}
    written = {} if spec is None else {"seed": spec.seed, "suffix": spec.suffix}
    said = {name: value for name, value in written.items() if value is not None}
    if not snapshot.status.terminal:
        warnings = [*warnings, _still_changing(snapshot)]
    return Source(
        info=info,
        snapshot=snapshot,
        base_model=(snapshot.base_model or "") if spec is None else spec.base_model,
        method=method,
        hyperparameters={**knobs, **stated},
        settings={**job, **said},
        options=options,
        files={purpose: _file(session, purpose, snapshot, row, spec) for purpose in PURPOSES},
        told=frozenset({*knobs, *job} - {*stated, *said}),
        nameless={name: value for name, value in nameless.items() if name not in own},
        warnings=[*warnings, *assumed],
    )


def _still_changing(snapshot: JobSnapshot) -> str:
    return (
        f"{snapshot.ref} is {snapshot.status.value}: its service may still choose settings that "
        "were left to it. The same command after its end may then mean another submission."
    )


# --- who knows what -------------------------------------------------------------------------------


def _seen(session: Session, ref: JobRef) -> tuple[JobSnapshot, list[str]]:
    try:
        return session.retrieve(ref), []
    except (ProviderError, ConfigurationError) as error:
        kept = _remembered(session, ref)
        if kept is None:
            raise
        told = error.message.rstrip(".")
        return kept, [f"{ref} cannot be read now ({told}); what the journal has kept is used."]


def _remembered(session: Session, ref: JobRef) -> JobSnapshot | None:
    try:
        for known in session.journal.matching(ref.id, within=ref):
            record = session.journal.job(known) if known.id == ref.id else None
            if record is not None and record.snapshot is not None:
                return record.snapshot
    except JournalError:
        return None  # what the provider said is the better answer
    return None


def _row(session: Session, snapshot: JobSnapshot) -> SubmissionRow | None:
    """Return the submission that made the job, if this journal has it."""
    try:
        mark = session.journal.owner(snapshot.ref) or snapshot.submission_id
        row = session.journal.submission(mark) if mark else None
    except JournalError:
        return None
    return row if row is not None and row.provider == snapshot.ref.provider else None


def _spec(row: SubmissionRow | None, snapshot: JobSnapshot) -> JobSpec | None:
    told = snapshot.facts.get("spec")
    try:
        if row is not None:
            return JobSpec.model_validate_json(row.spec)
        return JobSpec.model_validate(told) if isinstance(told, Mapping) else None
    except ValidationError:
        return None  # written by another version of this package


# --- settings -------------------------------------------------------------------------------------


def _knobs(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort what a service tells into numbers of ours, and what has no name of ours.

    Where it tells a word ("auto") or a number that stands for one (-1), nobody has chosen yet.
    """
    ours: dict[str, Any] = {}
    nameless: dict[str, Any] = {}
    for name, value in settings.items():
        if name in _JOB_SETTINGS:
            continue
        if name not in Hyperparameters.model_fields:
            nameless[name] = value
        elif value != "auto" and _acceptable(name, value):
            ours[name] = value
    return ours, nameless


def _acceptable(name: str, value: object) -> bool:
    try:
        Hyperparameters.model_validate({name: value})
    except ValidationError:
        return False
    return True


def _method(
    info: ProviderInfo, spec: JobSpec | None, settings: Mapping[str, Any]
) -> tuple[Method, list[str]]:
    """Return the job's method, and a warning where it had to be assumed."""
    if spec is not None:
        return spec.method, []
    try:
        return Method(settings["method"]), []
    except (KeyError, ValueError):
        pass
    chosen = Method.SUPERVISED if Method.SUPERVISED in info.methods else min(info.methods)
    if len(info.methods) == 1:
        return chosen, []
    told = f"{info.name} does not tell the method of the job; {chosen.value} is taken."
    return chosen, [f"{told} State another with --method."]


def _options(
    info: ProviderInfo, spec: JobSpec | None, snapshot: JobSnapshot
) -> dict[str, Mapping[str, Any]]:
    written = {} if spec is None else {name: dict(own) for name, own in spec.options.items()}
    told = _mapping(snapshot.facts.get("options"))
    own = {**told, **written.get(info.name, {})}
    return {**written, **({info.name: own} if own else {})}


# --- files ----------------------------------------------------------------------------------------


def _file(
    session: Session,
    purpose: str,
    snapshot: JobSnapshot,
    row: SubmissionRow | None,
    spec: JobSpec | None,
) -> SourceFile:
    told = next((entry for entry in _told_files(snapshot) if entry.get("purpose") == purpose), {})
    name = _text(told.get("name")) or ""
    identity: Mapping[str, Any] = json.loads(row.identity) if row is not None else {}
    submitted = _text(identity.get(f"{purpose}_file"))
    path = None if spec is None else getattr(spec, f"{purpose}_file")
    file_id = _text(told.get("id")) or name or None
    sent = _text(told.get("sha256")) or _sent(session, snapshot, row, file_id)
    return SourceFile(
        path=None if path is None else Path(path),
        sha256=submitted or (sent if row is None else None),
        id=file_id,
        name=name,
        sent_sha256=sent or submitted,
    )


def _told_files(snapshot: JobSnapshot) -> Sequence[Mapping[str, Any]]:
    told = snapshot.facts.get("files")
    if isinstance(told, list):
        return [entry for entry in told if isinstance(entry, Mapping)]
    return [{"purpose": "training", "name": name} for name in snapshot.training_files[:1]]


def _sent(
    session: Session, snapshot: JobSnapshot, row: SubmissionRow | None, file_id: str | None
) -> str | None:
    """Return the digest of what was sent as `file_id`, if it was sent from here."""
    if row is None or file_id is None:
        return None
    files = session.journal.files(snapshot.ref.provider, account=row.account)
    return next((file.sha256 for file in files if file.id == file_id), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
