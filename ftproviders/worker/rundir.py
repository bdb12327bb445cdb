"""A run's folder: the job itself, its state, and what it leaves behind. Standard library only.

::

    job.json       what was asked for; the worker adds what it found (versions, template, data type)
    status.json    how it stands; replaced as a whole
    events.jsonl   what happened, one JSON object a line; a torn last line is ignored
    worker.json    process of the worker
    lock           held by the worker as long as it lives
    rank-1.log     what process 1 of a training in several processes printed
    cancel.json    there when somebody asked to cancel
    pause.json     there when somebody asked to pause
    worker.log     everything the worker printed
    training.jsonl, validation.jsonl
    adapter/       the tuned model
    merged/        the tuned model in one piece, when that was asked for
    checkpoints/   step-00000025/ ..., and latest.json, which names the one to go on from
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["RunDirectory", "now", "private_folder", "read_json", "write_json"]


def now() -> str:
    """Return the present moment in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def private_folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing, for the user's eyes only."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty one when there is no such file or it holds something else."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: Mapping[str, Any], *, durable: bool = True) -> None:
    """Replace a JSON file as a whole, readable by the user only.

    Args:
        path: The file.
        content: A JSON object.
        durable: Wait until it is on the disk.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


class RunDirectory:
    """One run's folder.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.log = path / "worker.log"
        self.adapter = path / "adapter"
        self.merged = path / "merged"
        self.checkpoints = path / "checkpoints"
        self._next_event: int | None = None

    def exists(self) -> bool:
        """Say whether this is a run."""
        return (self.path / "job.json").is_file()

    def data(self, purpose: str) -> Path:
        """Return the path of the ``training`` or ``validation`` file."""
        return self.path / f"{purpose}.jsonl"

    # --- small files -------------------------------------------------------------------------

    def job(self) -> dict[str, Any]:
        """Read ``job.json``."""
        return read_json(self.path / "job.json")

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Replace ``job.json``."""
        write_json(self.path / "job.json", job)

    def status(self) -> dict[str, Any]:
        """Read ``status.json``."""
        return read_json(self.path / "status.json")

    def write_status(self, facts: Mapping[str, Any], *, durable: bool = True) -> None:
        """Change some facts of ``status.json``; the others stay."""
        content = {**self.status(), **facts, "updated_at": now()}
        write_json(self.path / "status.json", content, durable=durable)

    def worker(self) -> dict[str, Any]:
        """Read ``worker.json``: ``pid`` and ``started_at`` in seconds since the epoch."""
        return read_json(self.path / "worker.json")

    def write_worker(self, *, pid: int, started_at: float) -> None:
        """Write down which process works here."""
        write_json(self.path / "worker.json", {"pid": pid, "started_at": started_at})

    def cancel_requested_at(self) -> datetime | None:
        """Return when somebody asked to cancel; None = nobody did."""
        file = self.path / "cancel.json"
        if not file.exists():
            return None
        text = read_json(file).get("requested_at")
        return datetime.fromisoformat(text) if isinstance(text, str) else datetime.now(UTC)

    def request_cancel(self) -> None:
        """Ask the worker to stop at its next step; asking again changes nothing."""
        if self.cancel_requested_at() is None:
            write_json(self.path / "cancel.json", {"requested_at": now()})

    def pause_requested(self) -> bool:
        """Say whether somebody asked to pause."""
        return (self.path / "pause.json").exists()

    def request_pause(self) -> None:
        """Ask the worker to write a checkpoint after its present step, and to leave."""
        write_json(self.path / "pause.json", {"requested_at": now()})

    def withdraw_pause(self) -> None:
        """Take a request to pause back; nothing when there is none."""
        (self.path / "pause.json").unlink(missing_ok=True)

    def checkpoint_step(self) -> int | None:
        """Return the step of the checkpoint to go on from; None = there is none."""
        step = read_json(self.checkpoints / "latest.json").get("step")
        return step if isinstance(step, int) else None

    def sweep(self) -> None:
        """Remove what a killed worker left half done. Only whoever holds the lock may do it."""
        left = [*self.path.glob(".*.json.*"), *self.checkpoints.glob(".*.json.*")]
        for folder in (self.path, self.checkpoints):
            for pattern in (".new-*", ".old-*", ".*.new-*", ".*.old-*"):
                left += folder.glob(pattern)
        for path in left:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def last_words(self, lines: int = 5, *, rank: int = 0) -> str:
        """Return the end of the worker's log, or of another process's, on one line."""
        log = self.path / f"rank-{rank}.log" if rank else self.log
        try:
            text = log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])

    def reread(self) -> None:
        """Forget what was remembered: another process has written here in the meantime."""
        self._next_event = None

    # --- events ------------------------------------------------------------------------------

    def append_event(
        self,
        message: str,
        *,
        level: str = "info",
        kind: str = "message",
        step: int | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add an event. Only whoever holds the run's lock may write.

        A metric that is no finite number is written as ``null``, because JSON has no other word.
        """
        path = self.path / "events.jsonl"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            number = self._next_event or max((e["id"] for e in self.events()), default=0) + 1
            line = {
                "id": number,
                "at": now(),
                "level": level,
                "kind": kind,
                "message": message,
                "step": step,
                "metrics": {n: v if math.isfinite(v) else None for n, v in (metrics or {}).items()},
            }
            file.write(_start_of_line(file) + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._next_event = number + 1

    def events(self, *, after: int = 0) -> Sequence[dict[str, Any]]:
        """Return the events whose ``id`` is greater than `after`, oldest first."""
        return [event for event in self._whole_lines() if event["id"] > after]

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        try:
            content = (self.path / "events.jsonl").read_bytes()
        except FileNotFoundError:
            return
        for line in content.split(b"\n")[:-1]:
            try:
                event = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError):
                continue  # torn by a crash; the line after it starts on its own
            if isinstance(event, dict) and isinstance(event.get("id"), int):
                yield event


def _start_of_line(file: Any) -> bytes:
    """Return a line break when the last writer died in the middle of a line."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
