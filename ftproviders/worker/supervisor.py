"""Keeps one server running: prepares its model, starts it, asks it, restarts it, ends it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ftproviders.worker import process
from ftproviders.worker.asking import healthy, pass_probe
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.failures import WorkError
from ftproviders.worker.rundir import now

__all__ = ["Ended", "Supervisor"]

_TICK_SECONDS = 0.2
_STOP_SECONDS = 3.0
_LOG_BYTES = 32 << 20
"""Size at which the log starts anew; the part before is kept as ``server.log.1``."""


class Ended(BaseException):
    """The deployment is over. Not an Exception, so that nothing swallows it.

    Args:
        word: ``stopped`` or ``expired``.
    """

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class _ServerDiedError(Exception):
    pass


class Supervisor:
    """Looks after the server of one deployment, in a process that holds the folder's lock.

    Args:
        directory: The deployment's folder.
    """

    def __init__(self, directory: DeploymentDirectory) -> None:
        self.directory = directory
        self.order = directory.read("deployment")
        self.child: subprocess.Popen[bytes] | None = None
        self.asked_to_stop = False
        self.listener: socket.socket | None = None
        self.port = 0
        self.was_ready = False
        self.model: dict[str, Any] = {}

    # --- the life of a deployment --------------------------------------------------------------

    def run(self) -> int:
        """Serve until the end; returns the exit code."""
        try:
            self._prepare()
            self._serve()
        except Ended as end:
            self._end_child()
            self._say(f"The deployment is {end.word}.")
            self.directory.write_status(end.word, ended_at=now(), error=self._gravestone(end))
            return 0
        except WorkError as failure:
            self._end_child()
            self._fail(failure)
        finally:
            self._end_child()
        return 1

    def _prepare(self) -> None:
        self.directory.write_status("preparing", started_at=now())
        self.directory.remove("failure")
        self.directory.remove("step")
        self._start(process.python_command("ftproviders.worker.prepare"))
        word = "preparing"
        while not self._child_ended():
            self._tick()
            told = str(self.directory.read("step").get("word", word))
            if told != word:
                word = told
                self.directory.write_status(word)
            time.sleep(_TICK_SECONDS)
        code = self._end_child()
        if code != 0:
            raise self._told() or WorkError(
                f"The model could not be prepared; the program ended with code {code}. It said: "
                f"{self.directory.last_words()}",
                code="prepare_failed",
            )
        self.model = self.directory.read("model") | {"nonce": secrets.token_hex(16)}
        self.directory.write("model", self.model)

    def _serve(self) -> None:
        """Start the server, and again when it dies, until that happens too often."""
        deaths: deque[float] = deque()
        while True:
            try:
                self._one_server()
            except _ServerDiedError:
                self._end_child()
                failure = self._told()
                if failure is not None:
                    raise failure from None
            deaths.append(time.monotonic())
            self._back_off(deaths)

    def _one_server(self) -> None:
        self._listen()
        started = time.monotonic()
        number = -1 if self.listener is None else self.listener.fileno()
        command = process.python_command("ftproviders.worker.served")
        self.directory.write_status("restarting" if self.was_ready else "starting")
        self._start(command, str(self.port), str(number), keep=() if number < 0 else (number,))
        self._wait_until_ready(started)
        self.was_ready = True
        self.directory.write_status(
            "ready",
            ready_at=now(),
            url=f"http://127.0.0.1:{self.port}/v1",
            engine=self.model["engine"],
            error=None,
        )
        self._say(f"Ready on http://127.0.0.1:{self.port}/v1 with {self.model['engine']}.")
        while True:
            self._look()
            time.sleep(_TICK_SECONDS)

    def _wait_until_ready(self, started: float) -> None:
        """Wait for a server that is healthy and whose model answered the probe."""
        limit = float(self.order["ready_seconds"])
        while not healthy(self.port, timeout_seconds=1.0):
            self._look()
            if time.monotonic() - started > limit:
                raise self._too_slow(limit)
            time.sleep(_TICK_SECONDS)
        if not self.was_ready:
            self.directory.write_status("asking")
        asking = _Question(self.directory, self.model, port=self.port, limit_seconds=limit)
        while not asking.done.wait(_TICK_SECONDS):
            self._look()
        if isinstance(asking.error, WorkError):
            raise asking.error
        if isinstance(asking.error, TimeoutError):
            raise self._too_slow(limit)
        if asking.error is not None:
            raise _ServerDiedError from asking.error

    def _back_off(self, deaths: deque[float]) -> None:
        """Wait before a server is started again; give up when it died too often."""
        window = float(self.order["restart_window_seconds"])
        while deaths and deaths[0] < time.monotonic() - window:
            deaths.popleft()
        # What never ran will hardly run the third time.
        most = int(self.order["restarts"]) if self.was_ready else min(1, self.order["restarts"])
        words = self.directory.last_words()
        if len(deaths) > most:
            raise WorkError(
                f"The server died {len(deaths)} times in {window:g} seconds and is not started "
                f"again. It said: {words or 'nothing'}",
                code="server_died",
            )
        pause = min(0.5 * 2 ** (len(deaths) - 1), 30.0)
        restarts = int(self.directory.status().get("restarts", 0)) + 1
        self.directory.write_status("restarting", restarts=restarts)
        self._say(f"The server died; it is started again in {pause:g} seconds.")
        end = time.monotonic() + pause
        while time.monotonic() < end:
            self._tick()
            time.sleep(_TICK_SECONDS)

    # --- looking -------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Notice what ends a deployment.

        Raises:
            Ended: Somebody asked, or the lease is over.
        """
        if self.asked_to_stop or self.directory.read("stop"):
            self.directory.write_status("stopping")
            raise Ended("stopped")
        expires_at = self.directory.expires_at()
        if expires_at is not None and datetime.now(UTC) >= expires_at:
            self.directory.write_status("stopping")
            raise Ended("expired")

    def _look(self) -> None:
        self._tick()
        self._turn_log()
        if self._child_ended():
            raise _ServerDiedError

    def _child_ended(self) -> bool:
        return self.child is None or process.ended(self.child.pid)

    def _told(self) -> WorkError | None:
        """Return why a child gave up for good, if it said so."""
        told = self.directory.read("failure")
        if not told:
            return None
        return WorkError(told["message"], code=told["code"], param=told.get("param"))

    # --- doing ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Have a port: one that we keep open while the server is away, where it takes it."""
        if self.port and (self.listener is not None or _free(self.port)):
            return
        found = socket.create_server(("127.0.0.1", self.port if self.listener else 0))
        self.port = int(found.getsockname()[1])
        if self.model["engine"] == "vllm":
            found.close()
        else:
            self.listener = found

    def _start(self, command: Sequence[str], *more: str, keep: Sequence[int] = ()) -> None:
        self.child = subprocess.Popen(
            [*command, str(self.directory.path), str(os.getpid()), *more],
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(keep),
            start_new_session=True,
        )
        self.directory.write_process("server", self.child.pid)

    def _end_child(self) -> int | None:
        """End the child and whatever it started; returns its exit code."""
        if self.child is None:
            return None
        if not self._child_ended():
            self.child.terminate()
            end = time.monotonic() + _STOP_SECONDS
            while not self._child_ended() and time.monotonic() < end:
                time.sleep(_TICK_SECONDS / 4)
        process.end_group(self.child.pid)
        code = self.child.wait()
        self.child = None
        self.directory.remove("server")
        return code

    def _turn_log(self) -> None:
        log = self.directory.log
        if log.stat().st_size > _LOG_BYTES:
            shutil.copyfile(log, log.with_name("server.log.1"))
            # Everybody appends, so that an emptied file goes on from its start.
            with log.open("r+b") as file:
                file.truncate()

    # --- telling -------------------------------------------------------------------------------

    def _too_slow(self, limit: float) -> WorkError:
        return WorkError(
            f"The server did not answer a chat within {limit:g} seconds of its start. It said: "
            f"{self.directory.last_words() or 'nothing'}. Raise deploy_seconds for a large model.",
            code="start_timeout",
        )

    def _fail(self, failure: WorkError) -> None:
        self._say(f"Failed: {failure.message}")
        error = {"message": failure.message, "code": failure.code, "param": failure.param}
        self.directory.write_status("failed", ended_at=now(), error=error)

    def _gravestone(self, end: Ended) -> dict[str, object] | None:
        if end.word != "expired":
            return None
        moment = self.directory.expires_at()
        return {"message": f"The lease ended at {moment}. Deploy again.", "code": "expired"}

    def _say(self, line: str) -> None:
        sys.stdout.write(f"{now()} supervisor: {line}\n")
        sys.stdout.flush()


class _Question:
    """The probe, asked beside the look-out for death, lease and stop."""

    def __init__(
        self,
        directory: DeploymentDirectory,
        model: dict[str, Any],
        *,
        port: int,
        limit_seconds: float,
    ) -> None:
        self.done = threading.Event()
        self.error: Exception | None = None
        self._what = (directory, model, port, limit_seconds)
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        directory, model, port, limit = self._what
        try:
            pass_probe(directory, model, port=port, timeout_seconds=limit)
        # Whatever it was is raised again by the thread that waits.
        except Exception as error:  # noqa: BLE001
            self.error = error
        finally:
            self.done.set()


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
