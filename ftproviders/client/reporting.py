"""Gathering what a report shows, through the same calls that users have, and writing the page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftproviders import registry
from ftproviders.client.sampling import Question, ask_all, read_questions
from ftproviders.data.outputs import check_outputs, new_files
from ftproviders.errors import FineTuneError, UnsupportedFeatureError
from ftproviders.reports import DataFile, JobReport, SampleAnswer, render_page
from ftproviders.runtime import Session
from ftproviders.runtime import chat as chat_with
from ftproviders.schema.chat import ChatMessage
from ftproviders.schema.deployment import ChatReply
from ftproviders.schema.job import JobSpec, TunedModel

if TYPE_CHECKING:
    from ftproviders.client.reading import JobReading

__all__ = ["DEFAULT_ROWS", "MOST_ROWS", "Asking", "write_report"]

DEFAULT_ROWS = 3
"""Rows of the validation file that are asked when no questions are named."""
MOST_ROWS = 20
"""Rows of a file of questions that are asked when no number is named."""

_PURPOSES = ("training", "validation")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Which questions base and tuned model are asked, and how."""

    questions: Path | None = None
    """Chat JSONL; None = the first rows of the validation file, where asking is free."""
    rows: int | None = None
    """How many; None = 3 of the validation file, 20 of `questions`; 0 = nobody is asked."""
    max_tokens: int = 120
    """Most tokens of an answer."""


def write_report(
    session: Session,
    job: JobReading,
    output: Path,
    *,
    asking: Asking,
    overwrite: bool,
    on_progress: Callable[[str], None],
) -> None:
    """Gather everything about `job` and write the page.

    Args:
        session: Settings, journal, adapters.
        job: The job.
        output: HTML file to write; ``-`` is standard output.
        asking: Whom to ask what.
        overwrite: Whether `output` may be there already.
        on_progress: Told in words what is being done, and what cannot be.

    Raises:
        ConfigurationError: The file cannot be written there.
        DatasetError: The questions cannot be read.
        FineTuneError: The job cannot be read.
    """
    seen = job.refresh()
    spec = job.spec
    paths = {} if spec is None else _paths(spec)
    sources = [*paths.values(), *([asking.questions] if asking.questions else [])]
    check_outputs([output], sources=sources, overwrite=overwrite)
    given = None
    if asking.questions is not None:
        # Before anything is asked: a mistake in the file must not show after minutes of answers.
        given = read_questions(asking.questions, most=asking.rows or MOST_ROWS)
    report = JobReport(
        snapshot=seen,
        account=job.account,
        submission_id=job.submission_id,
        attempt=job.attempt,
        spec=spec,
        files=_files(session, job, paths),
        version=_version(),
        written_at=session.clock.now(),
    )
    report = _with_events(job, report)
    asker = _Asker(session, job, report, asking, on_progress)
    page = render_page(asker.answered(given))
    with new_files(output) as (file,):
        file.write(page.encode("utf-8", "replace"))


def _version() -> str | None:
    try:
        return version("ftproviders")
    except PackageNotFoundError:
        return None


def _with_events(job: JobReading, report: JobReport) -> JobReport:
    try:
        events = job.events()
    except UnsupportedFeatureError as error:
        return replace(report, events_note=error.message)
    return replace(report, events=events, metrics=job.merged_metrics(events))


# --- data files -----------------------------------------------------------------------------------


def _paths(spec: JobSpec) -> dict[str, Path]:
    named = {"training": spec.training_file, "validation": spec.validation_file}
    return {purpose: Path(path) for purpose, path in named.items() if path}


def _files(session: Session, job: JobReading, paths: Mapping[str, Path]) -> list[DataFile]:
    digests = _submitted_digests(session, job)
    told = job.snapshot.facts.get("files")
    by_provider = {
        str(entry["purpose"]): entry
        for entry in (told if isinstance(told, Sequence) and not isinstance(told, str) else ())
        if isinstance(entry, Mapping) and "purpose" in entry
    }
    found: list[DataFile] = []
    for purpose in _PURPOSES:
        entry, path = by_provider.get(purpose, {}), paths.get(purpose)
        sent, size = entry.get("sha256"), entry.get("bytes")
        name = path.name if path else str(entry.get("name", ""))
        if not name:
            continue
        file = DataFile(
            purpose=purpose,
            name=name,
            sha256=digests.get(purpose) or (sent if isinstance(sent, str) else None),
            bytes=size if isinstance(size, int) else None,
        )
        found.append(_looked_at(file, path))
    if found:
        return found
    return [
        DataFile(purpose="training", name=name, note="only this name is known, not its content.")
        for name in job.snapshot.training_files
    ]


def _submitted_digests(session: Session, job: JobReading) -> dict[str, str]:
    """Return purpose -> SHA-256 of the file as the user submitted it, out of the journal."""
    row = session.journal.submission(job.submission_id) if job.submission_id else None
    identity: dict[str, Any] = json.loads(row.identity) if row is not None else {}
    found = {purpose: identity.get(f"{purpose}_file") for purpose in _PURPOSES}
    return {purpose: digest for purpose, digest in found.items() if isinstance(digest, str)}


def _looked_at(file: DataFile, path: Path | None) -> DataFile:
    """Add rows and size when the file is still there with the same content; else say why not."""
    if path is None:
        return replace(file, note="where it was submitted from is not known, so rows are not.")
    try:
        digest, rows, size = _measured(path)
    except OSError:
        return replace(file, note=f"{path} is not there any more, so its rows are not known.")
    if file.sha256 is None:
        return replace(file, note=f"{path} is there; whether it is what was submitted is not known")
    if digest != file.sha256:
        return replace(file, note=f"{path} has changed since; its rows then are not known.")
    return replace(file, rows=rows, bytes=size)


def _measured(path: Path) -> tuple[str, int, int]:
    """Return digest, rows that are not blank, and bytes of a file."""
    digest, rows, size = hashlib.sha256(), 0, 0
    with path.open("rb") as lines:
        for line in lines:
            digest.update(line)
            rows += bool(line.strip())
            size += len(line)
    return digest.hexdigest(), rows, size


# --- sample answers -------------------------------------------------------------------------------


@dataclass
class _Asker:
    """Asks base and tuned model, and writes down why somebody was not asked."""

    session: Session
    job: JobReading
    report: JobReport
    asking: Asking
    on_progress: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def answered(self, given: tuple[list[Question], bool] | None) -> JobReport:
        """Return the report with answers, or with the reason why there are none."""
        answers: list[SampleAnswer] = []
        found = self._questions(given)
        if found:
            answers = self._answers(found)
        for note in self.notes:
            self.on_progress(note)
        return replace(self.report, answers=answers, answers_notes=self.notes)

    def _questions(self, given: tuple[list[Question], bool] | None) -> list[Question]:
        if self.asking.rows == 0:
            self.notes.append("No question was asked, as wished.")
            return []
        if given is not None:
            source, (found, more) = self.asking.questions, given
        else:
            source = self._own_rows()
            if source is None:
                return []
            try:
                found, more = read_questions(source, most=self.asking.rows or DEFAULT_ROWS)
            except FineTuneError as error:
                self.notes.append(f"No question was asked: {error.message}")
                return []
        first = f"The first {len(found)} rows" if more else f"All {len(found)} rows"
        self.notes.append(
            f"{first} of {source.name if source else 'the questions'} were asked, at temperature "
            f"0, with at most {self.asking.max_tokens} tokens an answer."
        )
        return found

    def _own_rows(self) -> Path | None:
        """Return the validation file, if the models may and can be asked its rows."""
        spec = self.report.spec
        reason = None
        file = next((f for f in self.report.files if f.purpose == "validation"), None)
        if self.report.snapshot.model is None:
            reason = f"there is no tuned model; the job is {self.report.snapshot.status.value}"
        elif spec is None or spec.validation_file is None or file is None:
            reason = "no validation file is known"
        elif file.rows is None:
            reason = f"of the validation file {file.note}"
        elif registry.info(self.job.ref.provider).hosting is None:
            reason = "the provider does not host models"
        elif self.job.needs_consent():
            reason = "answers of this provider may cost money"
        if reason is None and spec is not None and spec.validation_file is not None:
            return Path(spec.validation_file)
        self.notes.append(
            f"No question was asked: {str(reason).rstrip('.')}. `ftproviders report "
            f"{self.job.ref} --questions FILE` asks those of a file."
        )
        return None

    def _answers(self, found: Sequence[Question]) -> list[SampleAnswer]:
        seen = self.report.snapshot
        sides = (("base", seen.base_model), ("tuned", seen.model))
        before, after = (self._side(name, model, found) for name, model in sides)
        return [
            SampleAnswer(messages=q.messages, expected=q.expected, before=first, after=then)
            for q, first, then in zip(found, before, after, strict=True)
        ]

    def _side(
        self, name: str, model: str | TunedModel | None, found: Sequence[Question]
    ) -> list[str | None]:
        nothing: list[str | None] = [None] * len(found)
        if model is None:
            self.notes.append(f"The {name} model could not be asked: it is not known.")
            return nothing

        def chat(messages: Sequence[ChatMessage]) -> ChatReply:
            return chat_with.chat(
                self.session,
                self.job.ref.provider,
                model,
                messages,
                temperature=0.0,
                max_tokens=self.asking.max_tokens,
            )

        def told(number: int) -> None:
            self.on_progress(f"asking the {name} model, question {number} of {len(found)}")

        answers, refusal = ask_all(found, chat, on_question=told)
        if refusal is not None:
            self.notes.append(f"The {name} model did not answer: {refusal.message}")
        return answers
