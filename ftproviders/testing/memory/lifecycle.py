"""How a job of the in-memory server moves: one word of its walk at each read, always the same way.

A job is a JSON document. `walk` is its list of status words, `reads` how often it was read; the
word in force is the one of the last read. Nothing moves by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ftproviders.testing.memory.refusal import invalid
from ftproviders.testing.memory.store import Transaction

__all__ = ["advance", "cancel", "job_of_model", "pause", "resume", "shown", "start"]

_DEFAULT_EPOCHS = 3
_LARGEST_AUTO_BATCH = 8
_MOST_METRICS = 10
_ENDINGS = frozenset({"succeeded", "failed", "cancelled"})
_SHOWN = (
    "id", "model", "method", "created_at", "finished_at", "trained_tokens", "error", "metadata",
    "training_file", "training_file_name", "validation_file", "hyperparameters", "seed", "suffix",
    "priority", "step", "total_steps", "fine_tuned_model",
)  # fmt: skip


def start(
    state: Transaction, job: dict[str, Any], *, rows: int, tokens: int, now: datetime
) -> None:
    """Complete and store a new job; `tokens` is one pass over its training file."""
    stated = job["hyperparameters"] or {}
    epochs = _number(stated.get("n_epochs"), _DEFAULT_EPOCHS)
    batch = _number(stated.get("rows_per_step"), min(_LARGEST_AUTO_BATCH, max(1, rows)))
    job |= {
        "reads": 0,
        "first_walk": job["walk"],
        "epochs": epochs,
        "total_steps": max(1, epochs * -(-rows // batch)),
        "step": 0,
        "tokens": tokens * epochs,
        "trained_tokens": None,
        "finished_at": None,
        "error": None,
        "fine_tuned_model": None,
        "ended": False,
    }
    state.put("job", job["id"], job)
    _tell(state, job, now, "Job created.")
    _enter(state, job, now)


def advance(state: Transaction, job: dict[str, Any], *, now: datetime) -> None:
    """Count one read, and do what entering the next word brings."""
    before = _place(job)
    job["reads"] += 1
    if _place(job) != before:
        _enter(state, job, now)
    state.put("job", job["id"], job)


def shown(job: dict[str, Any]) -> dict[str, Any]:
    """Return what the server tells about a job."""
    return {"status": job["walk"][_place(job)], **{name: job.get(name) for name in _SHOWN}}


def cancel(state: Transaction, job: dict[str, Any], now: datetime) -> None:
    """Cancel a job that has not ended; one that has ended stays as it is."""
    if not job["ended"]:
        _walk_on(state, job, ["cancelling", "cancelled"], now)


def pause(state: Transaction, job: dict[str, Any], now: datetime) -> None:
    """Pause a job that has not ended."""
    word = job["walk"][_place(job)]
    if job["ended"] or word in ("cancelling", "paused"):
        raise invalid(f"A job that is {word} cannot be paused.", "id")
    job["rest"] = job["walk"][_place(job) :]
    _walk_on(state, job, ["paused"], now)


def resume(state: Transaction, job: dict[str, Any], now: datetime) -> None:
    """Let a paused job go on where it stopped."""
    if job["walk"][_place(job)] != "paused":
        raise invalid("Only a paused job can be resumed.", "id")
    _walk_on(state, job, job.pop("rest", None) or ["queued", "running", "succeeded"], now)


def job_of_model(state: Transaction, name: str, *, account: str) -> dict[str, Any] | None:
    """Return the account's job that made a tuned model or a checkpoint, or None."""
    for job in state.all("job"):
        made = _model_name(job)
        mine = job["account"] == account and job["step"] > 0
        if mine and (job["fine_tuned_model"] == name or name.startswith(f"{made}:step-")):
            return job
    return None


def _place(job: dict[str, Any]) -> int:
    return min(max(int(job["reads"]) - 1, 0), len(job["walk"]) - 1)


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _walk_on(state: Transaction, job: dict[str, Any], walk: list[str], now: datetime) -> None:
    job |= {"walk": walk, "reads": 1}
    _enter(state, job, now)
    state.put("job", job["id"], job)


def _model_name(job: dict[str, Any]) -> str:
    return f"ft:{job['model']}:{job['account']}:{job['suffix'] or ''}:{job['id']}"


def _enter(state: Transaction, job: dict[str, Any], now: datetime) -> None:
    """Write the events of the word that now holds; end the job with its last word."""
    place = _place(job)
    word = job["walk"][place]
    if word == "succeeded":
        _train(state, job, now, until=job["total_steps"])
    _tell(state, job, now, f"Job is {word}.")
    if word == "running":
        runs = job["walk"].count("running")
        done = job["walk"][: place + 1].count("running")
        _train(state, job, now, until=job["total_steps"] * done // (runs + 1))
    if word not in _ENDINGS:
        return
    job |= {"ended": True, "finished_at": now.isoformat()}
    if word == "succeeded":
        job |= {"trained_tokens": job["tokens"], "fine_tuned_model": _model_name(job)}
    elif word == "failed":
        job["error"] = {"code": "training_failed", "message": "The job was told to fail."}
    state.put("job", job["id"], job)


def _train(state: Transaction, job: dict[str, Any], now: datetime, *, until: int) -> None:
    """Do the steps up to `until`: metrics for some of them, a checkpoint at the end of an epoch."""
    total = job["total_steps"]
    every = max(1, total // _MOST_METRICS)
    for step in range(job["step"] + 1, until + 1):
        metrics = {"train_loss": round(2.5 * 0.05 ** (step / total), 4)}
        if job["validation_file"] is not None:
            metrics["valid_loss"] = round(metrics["train_loss"] * 1.1, 4)
        if step % every == 0 or step == total:
            _tell(state, job, now, f"Step {step}/{total}", step=step, metrics=metrics)
        if step * job["epochs"] % total == 0:
            key = f"checkpoint-{job['id']}-{step:06d}"
            checkpoint = {
                "id": key,
                "step": step,
                "model": f"{_model_name(job)}:step-{step}",
                "created_at": now.isoformat(),
                "metrics": metrics,
            }
            state.put(f"checkpoint:{job['id']}", key, checkpoint)
    job["step"] = max(job["step"], until)


def _tell(
    state: Transaction,
    job: dict[str, Any],
    now: datetime,
    message: str,
    *,
    step: int | None = None,
    metrics: dict[str, float] | None = None,
) -> None:
    number = state.next_number(f"event:{job['id']}")
    key = f"event-{job['id']}-{number:06d}"
    event = {
        "id": key,
        "created_at": now.isoformat(),
        "level": "error" if job["walk"][_place(job)] == "failed" else "info",
        "message": message,
        "step": step,
        "metrics": metrics or {},
    }
    state.put(f"event:{job['id']}", key, event)
