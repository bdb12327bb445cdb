"""How an emulated job goes: its status, events, checkpoints and results, by the clock.

Everything here is a function of the job's record and the time, so a server that is stopped and
started again tells the same story.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Moment",
    "checkpoints",
    "ended_at",
    "events",
    "moment",
    "plan",
    "results_csv",
    "results_table",
    "step_metrics",
    "step_after",
    "story",
    "Told",
]

_MOST_STEP_EVENTS = 1000
_KEPT_CHECKPOINTS = 3
_VALIDATION_EVERY_STEPS = 10

Job = Mapping[str, Any]
Told = tuple[float, float, str, dict[str, Any]]
"""An event: seconds of work, shown how many seconds later, text, metrics."""


@dataclass(frozen=True)
class Moment:
    """A job at one time."""

    status: str
    elapsed_seconds: float
    """Since it was made, pauses not counted."""
    finished_at: float | None


def plan(
    rows: int, tokens: int, knobs: Mapping[str, Any], times: Mapping[str, float]
) -> dict[str, Any]:
    """Settle what "auto" means, and how long each phase takes.

    Args:
        rows: Training examples.
        tokens: In one epoch.
        knobs: Hyperparameters of the request.
        times: ``validating``, ``queued``, ``running``, ``late``: seconds.
    """
    chosen = {name: value for name, value in knobs.items() if value not in ("auto", None)}
    epochs = int(chosen.get("n_epochs", _default_epochs(rows)))
    batch = int(chosen.get("batch_size", max(1, min(256, rows // 500))))
    rate = float(chosen.get("learning_rate_multiplier", 1.8))
    starts = times["validating"] + times["queued"]
    return {
        "epochs": epochs,
        "batch_size": batch,
        "rate": rate,
        "steps_an_epoch": max(1, math.ceil(rows / batch)),
        "trained_tokens": tokens * epochs,
        "queued_after": times["validating"],
        "running_after": starts,
        "ends_after": starts + times["running"],
        "late": times["late"],
    }


def _default_epochs(rows: int) -> int:
    """The rule of OpenAI's cookbook: 3, more for few examples, fewer for very many."""
    if 3 * rows < 100:
        return min(25, max(1, 100 // max(rows, 1)))
    if 3 * rows > 25_000:
        return max(1, 25_000 // rows)
    return 3


def moment(job: Job, now: float) -> Moment:
    """Return the job's status at a time."""
    story = job["plan"]
    cancelled = job["cancelled_at"]
    elapsed = _elapsed(job, now if cancelled is None else min(now, cancelled))
    if cancelled is not None:
        return Moment("cancelled", elapsed, cancelled)
    failure = job["failure"]
    if failure and elapsed >= failure["after"]:
        return Moment("failed", failure["after"], _when(job, failure["after"]))
    if elapsed >= story["ends_after"]:
        return Moment("succeeded", story["ends_after"], _when(job, story["ends_after"]))
    if job["pauses"] and job["pauses"][-1][1] is None:
        return Moment("paused", elapsed, None)
    if elapsed >= story["running_after"]:
        return Moment("running", elapsed, None)
    status = "queued" if elapsed >= story["queued_after"] else "validating_files"
    return Moment(status, elapsed, None)


def ended_at(job: Job) -> float:
    """Return when a job without pauses to come succeeds."""
    return _when(job, job["plan"]["ends_after"])


def _elapsed(job: Job, now: float) -> float:
    rested = sum((now if end is None else min(end, now)) - begin for begin, end in job["pauses"])
    return float(max(0.0, now - job["created_at"] - rested))


def _when(job: Job, after: float) -> float:
    """Return the time at which a job has worked for `after` seconds."""
    time = job["created_at"] + after
    for begin, end in job["pauses"]:
        if begin < time and end is not None:
            time += end - begin
    return float(time)


# --- events -------------------------------------------------------------------------------------


def events(
    job: Job, now: float, *, story: Iterable[Told], metrics_in_data: bool
) -> Sequence[dict[str, Any]]:
    """Return the events that can be seen at a time, oldest first."""
    at = moment(job, now)
    told = [
        _event(job, place, text, data, _when(job, after), metrics_in_data=metrics_in_data)
        for place, (after, delay, text, data) in enumerate(story)
        if after <= at.elapsed_seconds and now >= _when(job, after) + delay
    ]
    told += [
        _event(job, f"x{place}", text, {}, time, metrics_in_data=True)
        for place, (time, text) in enumerate(job["acts"])
        if time <= now
    ]
    if at.status == "failed":
        text = f"The job failed: {job['failure']['message']}"
        event = _event(job, "end", text, {}, at.finished_at or now, metrics_in_data=True)
        told.append({**event, "level": "error"})
    # sorted() is stable: events of one second stay as they were told.
    return sorted(told, key=lambda event: int(event["created_at"]))


def story(job: Job) -> Iterator[Told]:
    """Yield every event of a job that goes well, as OpenAI words them."""
    plan, name = job["plan"], job["model_name"]
    yield 0.0, 0.0, f"Created fine-tuning job: {job['id']}", {}
    yield 0.0, 0.0, f"Validating training file: {job['body']['training_file']}", {}
    if job["body"].get("validation_file"):
        yield 0.0, 0.0, f"Validating validation file: {job['body']['validation_file']}", {}
    yield plan["queued_after"], 0.0, "Files validated, moving job to queued state", {}
    yield plan["running_after"], 0.0, "Fine-tuning job started", {}
    total = plan["epochs"] * plan["steps_an_epoch"]
    stride = math.ceil(total / _MOST_STEP_EVENTS)
    for step in range(stride, total + 1, stride):
        late = plan["late"] if step + stride > total else 0.0
        text, data = step_metrics(job, step, total)
        yield step_after(job, step), late, text, data
    ends, late = plan["ends_after"], plan["late"]
    for checkpoint in _checkpoint_steps(job)[:-1]:
        yield ends, late, f"Checkpoint created at step {checkpoint}", {}
    yield ends, late, f"New fine-tuned model created: {name}", {}
    yield ends, late, "The job has successfully completed", {}


def _event(
    job: Job,
    place: int | str,
    text: str,
    data: Mapping[str, Any],
    time: float,
    *,
    metrics_in_data: bool,
) -> dict[str, Any]:
    digest = hashlib.sha256(f"{job['id']}/{place}".encode()).hexdigest()[:24]
    return {
        "object": "fine_tuning.job.event",
        "id": f"ftevent-{digest}",
        "created_at": int(time),
        "level": "info",
        "message": text,
        "type": "metrics" if data and metrics_in_data else "message",
        "data": dict(data) if metrics_in_data else {},
    }


def step_after(job: Job, step: int) -> float:
    """Return after how many seconds of work a step is done."""
    story = job["plan"]
    share = step / (story["epochs"] * story["steps_an_epoch"])
    return float(story["running_after"] + share * (story["ends_after"] - story["running_after"]))


def _loss(step: int, total: int, salt: str) -> float:
    """A curve that falls, with a little noise that is always the same."""
    noise = hashlib.sha256(f"{salt}{step}".encode()).digest()[0] / 255 - 0.5
    return round(0.12 + 2.2 * math.exp(-4 * step / total) * (1 + 0.2 * noise), 4)


def _numbers(job: Job, step: int, total: int) -> dict[str, float]:
    loss = _loss(step, total, "train")
    numbers = {"train_loss": loss, "train_mean_token_accuracy": round(math.exp(-loss), 4)}
    if job["body"].get("validation_file"):
        full = step % job["plan"]["steps_an_epoch"] == 0
        held_out = _loss(step, total, "valid") + 0.05
        if step % _VALIDATION_EVERY_STEPS == 0 or full:
            numbers["valid_loss"] = round(held_out, 4)
            numbers["valid_mean_token_accuracy"] = round(math.exp(-held_out), 4)
        if full:
            numbers["full_valid_loss"] = round(held_out + 0.01, 4)
            numbers["full_valid_mean_token_accuracy"] = round(math.exp(-held_out - 0.01), 4)
    return numbers


def step_metrics(job: Job, step: int, total: int) -> tuple[str, dict[str, Any]]:
    """Return what an event says of a step: in words, and as numbers."""
    numbers = _numbers(job, step, total)
    text = f"Step {step}/{total}: training loss={numbers['train_loss']:.2f}"
    words = {"valid_loss": "validation loss", "full_valid_loss": "full validation loss"}
    for name, word in words.items():
        if name in numbers:
            text += f", {word}={numbers[name]:.2f}"
    return text, {"step": step, "total_steps": total, **numbers}


# --- what is left -------------------------------------------------------------------------------


def _checkpoint_steps(job: Job) -> list[int]:
    story = job["plan"]
    ends = [epoch * story["steps_an_epoch"] for epoch in range(1, story["epochs"] + 1)]
    return ends[-_KEPT_CHECKPOINTS:]


def checkpoints(job: Job, now: float) -> Sequence[dict[str, Any]]:
    """Return the checkpoints that are there at a time, newest first: the last three epochs'."""
    at = moment(job, now)
    total = job["plan"]["epochs"] * job["plan"]["steps_an_epoch"]
    made = []
    for step in reversed(_checkpoint_steps(job)):
        after = step_after(job, step)
        if after > at.elapsed_seconds:
            continue
        digest = hashlib.sha256(f"{job['id']}@{step}".encode()).hexdigest()[:24]
        made.append(
            {
                "object": "fine_tuning.job.checkpoint",
                "id": f"ftckpt_{digest}",
                "created_at": int(_when(job, after)),
                "fine_tuned_model_checkpoint": f"{job['model_name']}:ckpt-step-{step}",
                "fine_tuning_job_id": job["id"],
                "step_number": step,
                "metrics": {"step": step, **_numbers(job, step, total)},
            }
        )
    return made


def results_csv(job: Job) -> bytes:
    """Return the results file: a CSV in base64, as OpenAI keeps it."""
    columns = {
        "step": "step",
        "train_loss": "train_loss",
        "train_accuracy": "train_mean_token_accuracy",
        "valid_loss": "valid_loss",
        "valid_mean_token_accuracy": "valid_mean_token_accuracy",
    }
    return base64.b64encode(results_table(job, columns).encode("ascii"))


def results_table(job: Job, columns: Mapping[str, str]) -> str:
    """Return the numbers of every step as a CSV.

    Args:
        job: The job.
        columns: Name of a column -> metric.
    """
    total = job["plan"]["epochs"] * job["plan"]["steps_an_epoch"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for step in range(1, total + 1):
        numbers = {"step": step, **_numbers(job, step, total)}
        writer.writerow([numbers.get(name, "") for name in columns.values()])
    return text.getvalue()
