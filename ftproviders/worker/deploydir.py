"""A deployment's folder: what was asked for, how it stands, its token and its log.

Standard library only. ::

    deployment.json  what was asked for
    lease.json       until when; replaced by whoever extends it
    status.json      how it stands; written by the supervisor alone
    lock             held by the supervisor as long as it lives
    supervisor.json  process of the supervisor
    server.json      process of the server
    token            what clients must send, for the user's eyes only
    step.json        what the preparation is at, when that is more than looking
    model.json       the folder that is served and the probe, as the preparation found them
    probed.json      token ids of the probe, as they reached the model
    failure.json     why a child of the supervisor gave up
    stop.json        there when somebody asked to undeploy
    server.log       everything that supervisor and server printed
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.failures import WorkError
from ftproviders.worker.rundir import now, read_json, write_json

__all__ = ["DeploymentDirectory"]

_TAIL_BYTES = 16_384


class DeploymentDirectory:
    """One deployment's folder.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / "lock"
        self.log = path / "server.log"
        self.token_file = path / "token"

    def exists(self) -> bool:
        """Say whether this is a deployment."""
        return (self.path / "deployment.json").is_file()

    def alive(self) -> bool:
        """Say whether its supervisor lives."""
        return process.alive(self.lock)

    # --- small files -------------------------------------------------------------------------

    def read(self, name: str) -> dict[str, Any]:
        """Read ``<name>.json``; an empty object when it is not there."""
        return read_json(self.path / f"{name}.json")

    def write(self, name: str, content: Mapping[str, Any], *, durable: bool = True) -> None:
        """Replace ``<name>.json``."""
        write_json(self.path / f"{name}.json", content, durable=durable)

    def remove(self, name: str) -> None:
        """Remove ``<name>.json`` if it is there."""
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """Read ``status.json``."""
        return self.read("status")

    def write_status(self, word: str, **facts: object) -> None:
        """Enter a state; facts that are not given stay."""
        self.write("status", {**self.status(), **facts, "status": word, "updated_at": now()})

    def expires_at(self) -> datetime | None:
        """Return when the lease ends; None = never."""
        text = (self.read("lease").get("lease") or {}).get("expires_at")
        return datetime.fromisoformat(text) if isinstance(text, str) else None

    # --- token -------------------------------------------------------------------------------

    def make_token(self) -> None:
        """Make a new random token, 256 bits, that only the user may read."""
        number = os.open(
            self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")

    def token(self) -> str:
        """Read the token."""
        return self.token_file.read_text(encoding="ascii").strip()

    # --- processes ---------------------------------------------------------------------------

    def write_process(self, name: str, pid: int) -> None:
        """Write down a process, ``supervisor`` or ``server``, with its time of start."""
        import psutil

        self.write(name, {"pid": pid, "started_at": psutil.Process(pid).create_time()})

    def signal(self, name: str, *, kill: bool) -> bool:
        """Ask a process that was written down to stop, or end its group; say if it was there."""
        found = self.read(name)
        return bool(found) and process.signal_worker(found["pid"], found["started_at"], kill=kill)

    # --- words -------------------------------------------------------------------------------

    def fail(self, failure: WorkError) -> None:
        """Leave word for the supervisor why this process gives up for good."""
        content = {"message": failure.message, "code": failure.code, "param": failure.param}
        self.write("failure", content)

    def last_words(self, lines: int = 5) -> str:
        """Return the end of the log on one line."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])
