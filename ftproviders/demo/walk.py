"""One walk from data to an answer of the tuned model."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ftproviders.errors import MissingDependencyError
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.job import JobSpec

if TYPE_CHECKING:
    from ftproviders.client import FineTuneClient, FineTuneJob
    from ftproviders.schema.deployment import ChatReply
    from ftproviders.schema.job import JobEvent, JobRef, JobSnapshot

__all__ = ["Answer", "DemoResult", "Listener", "Question", "fresh_home", "questions", "run_demo"]

DATA = Path(__file__).parent / "data"
PROVIDER = "local"
BASE_MODEL = "smollm2-135m"
EPOCHS = 2
MAX_ANSWER_TOKENS = 24
"""The answers taught have about 16 tokens; the untuned model would go on for pages."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A customer's sentence and what the model should see in it."""

    prompt: str
    intent: str

    def right(self, reply: str) -> bool:
        """Say whether `reply` starts with the intent in the taught form, ``[INTENT/``."""
        return reply.startswith(f"[{self.intent.upper()}/")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model said to one question before and after tuning."""

    question: Question
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the walk found."""

    ref: JobRef
    model: str
    """Name of the tuned model."""
    home: Path
    """State folder of this walk: journal and run."""
    served_at: str | None
    """Address at which the tuned model answered while it was deployed; None = it was asked without
    a server, because that is not installed."""
    answers: Sequence[Answer]
    losses: Sequence[tuple[int | None, float]]
    """Step and training loss, oldest first."""
    seconds: Mapping[str, float]
    """Part of the walk -> seconds."""

    @property
    def before(self) -> int:
        """Right answers of the untuned model."""
        return sum(a.question.right(a.before) for a in self.answers)

    @property
    def after(self) -> int:
        """Right answers of the tuned model."""
        return sum(a.question.right(a.after) for a in self.answers)


def questions() -> Sequence[Question]:
    """Return the held-out questions; none of them is in the training file."""
    # As bytes: only a line feed ends a row.
    with (DATA / "test.jsonl").open("rb") as lines:
        return [Question(**json.loads(line)) for line in lines]


def fresh_home(cache: Path) -> Path:
    """Make a new state folder, so that no job of an earlier walk is found again.

    Args:
        cache: The cache folder, which itself is kept: downloads and converted models stay there.
    """
    parent = cache / "demo"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="home-", dir=parent))


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told how the walk goes."""

    on_progress: Callable[[str], None]
    """Gets a sentence at each part."""
    on_count: Callable[[str], None]
    """Gets a few words at each question, to be shown in place."""
    on_job: Callable[[FineTuneJob], None]
    """Gets the job as soon as it is known."""
    on_update: Callable[[JobSnapshot, Sequence[JobEvent]], None]
    """Gets each new state of the job with its new events."""


def run_demo(
    client: FineTuneClient,
    *,
    listener: Listener,
    provider: str = PROVIDER,
    base_model: str = BASE_MODEL,
    epochs: int = EPOCHS,
) -> DemoResult:
    """Ask, tune, deploy, ask again through the deployment, and delete that.

    Args:
        client: A client whose state folder is fresh.
        listener: Who is told how it goes.
        provider: Where to tune.
        base_model: What to tune.
        epochs: Passes over the 200 rows; 0 leaves the model as it is.

    Raises:
        FineTuneError: Whatever stops the walk.
    """
    clock = _Clock()
    listener.on_progress(
        f"Asking {base_model}, untuned; the first time it has to be fetched and converted ..."
    )
    before = _ask(partial(client.chat, provider, base_model), listener)
    clock.lap("ask the untuned model")
    job = _tune(client, _spec(provider, base_model, epochs), listener)
    clock.lap("tune")
    after, served_at = _ask_deployed(job, listener, clock)
    clock.lap("ask the tuned model")
    return DemoResult(
        ref=job.ref,
        model=str(job.model),
        home=client.config.home,
        served_at=served_at,
        answers=[
            Answer(question=question, before=first, after=then)
            for question, first, then in zip(questions(), before, after, strict=True)
        ],
        losses=_losses(job),
        seconds=clock.seconds,
    )


def _spec(provider: str, base_model: str, epochs: int) -> JobSpec:
    return JobSpec(
        provider=provider,
        base_model=base_model,
        training_file=str(DATA / "train.jsonl"),
        hyperparameters=Hyperparameters(n_epochs=epochs),
    )


def _tune(client: FineTuneClient, spec: JobSpec, listener: Listener) -> FineTuneJob:
    job = client.submit(spec, on_progress=listener.on_progress)
    listener.on_job(job)
    job.wait(on_update=listener.on_update)
    return job


def _ask_deployed(
    job: FineTuneJob, listener: Listener, clock: _Clock
) -> tuple[list[str], str | None]:
    """Deploy the tuned model, ask it through its endpoint, and delete the deployment again."""
    listener.on_progress("Deploying the tuned model ...")
    try:
        # The lease ends the deployment even when this process dies before it can.
        deployment = job.deploy(ttl="1h")
    except MissingDependencyError as error:
        listener.on_progress(f"{error.message} Asking the tuned model without a server ...")
        return _ask(job.chat, listener), None
    with deployment:
        clock.lap("deploy")
        address = deployment.snapshot.url or deployment.endpoint.url
        listener.on_progress(f"Asking it the same questions at {address} ...")
        return _ask(deployment.chat, listener), address


def _ask(chat: Callable[..., ChatReply], listener: Listener) -> list[str]:
    asked = questions()
    replies = []
    for number, question in enumerate(asked, start=1):
        listener.on_count(f"question {number} of {len(asked)}")
        reply = chat(question.prompt, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)
        replies.append(reply.text.strip())
    return replies


def _losses(job: FineTuneJob) -> Sequence[tuple[int | None, float]]:
    return [
        (event.step, event.metrics["train_loss"])
        for event in job.metrics()
        if "train_loss" in event.metrics
    ]


class _Clock:
    """Seconds spent on each part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part] = now - self._since
        self._since = now
