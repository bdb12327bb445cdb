"""The in-memory server: takes requests as a real one would, logs them, and plays scripted faults.

What the requests do is in `service`; here is what surrounds them. A request is an operation and a
JSON body; the answer is JSON text, so that a broken answer is possible too.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ftproviders.schema.value import FrozenJson, Value
from ftproviders.testing.memory.faults import SCRIPTED, Fault, FaultKind, Firing, InjectedCrash
from ftproviders.testing.memory.options import DEFAULT_ACCOUNT
from ftproviders.testing.memory.refusal import MemoryServerError, refusal, unauthorized
from ftproviders.testing.memory.service import OPERATIONS, Call
from ftproviders.testing.memory.store import Store, Transaction

__all__ = ["Clock", "LoggedRequest", "MemoryServer"]

DEFAULT_WALK = ("validating", "queued", "running", "succeeded")


class Clock(Protocol):
    """What the server needs of a clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class LoggedRequest(Value):
    """A request as the server received it."""

    number: int
    """From 1, over the server's whole life."""
    operation: str
    body: FrozenJson
    """The body; of a file's content only its size is kept."""
    account: str
    at: datetime
    pid: int
    outcome: str
    """``ok``, the code of a refusal, ``before: <fault>`` or ``after: <fault>``; else ``open``."""


class MemoryServer:
    """The server's whole state, and its one entrance: `request`.

    Args:
        folder: Keep the state there, shared by all processes; None = in this object.
        clock: Where the time comes from; default the system's.
        lag_seconds: Lists show a job this long after it was made.
        page_size: Items in one page of a list.
        walk: Status words of a job, one a read.
        api_key: Refuse requests that carry another key; None = any.
        faults: Faults to inject at once.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        clock: Clock | None = None,
        lag_seconds: float = 0.0,
        page_size: int = 3,
        walk: Sequence[str] = DEFAULT_WALK,
        api_key: str | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.clock: Clock = clock or _SystemClock()
        self.lag_seconds = lag_seconds
        self.page_size = page_size
        self.walk = tuple(walk)
        self._api_key = api_key
        self._store = Store(folder)
        self.inject(*faults)

    # --- the entrance ------------------------------------------------------------------------

    def request(
        self,
        operation: str,
        body: dict[str, Any],
        *,
        account: str = DEFAULT_ACCOUNT,
        api_key: str | None = None,
    ) -> str:
        """Carry out one request.

        Args:
            operation: Name of the operation, see `Fault`.
            body: JSON body; unknown fields are refused.
            account: Whose request it is.
            api_key: The caller's key; never logged.

        Returns:
            The answer, as JSON text.

        Raises:
            MemoryServerError: The server refuses.
            TimeoutError: A scripted fault; so are ConnectionResetError and InjectedCrash.
        """
        number, faults = self._receive(operation, body, account)
        for fault in faults:
            if fault.when == "before" and not fault.kind.misbehaviour:
                return self._play(fault, number, answer='{"id": "lost"}')
        try:
            if self._api_key is not None and api_key != self._api_key:
                raise unauthorized()
            answer = self._carry_out(operation, body, account, faults)
        except MemoryServerError as error:
            error.request_id = f"request-{number:04d}"
            self._note(number, error.code)
            raise
        for fault in faults:
            if fault.when == "after" and not fault.kind.misbehaviour:
                return self._play(fault, number, answer=answer)
        self._note(number, "ok")
        return answer

    # --- what tests look at and do -----------------------------------------------------------

    def inject(self, *faults: Fault) -> None:
        """Add scripted faults; one whose id is known here already is left as it is."""
        with self._store.transaction() as state:
            for fault in faults:
                key = fault.id or f"fault-{state.next_number('fault')}"
                if state.get("fault", key) is None:
                    script = fault.model_copy(update={"id": key}).model_dump(mode="json")
                    state.put("fault", key, {"fault": script, "seen": 0})

    def play(self, script: Sequence[Fault]) -> None:
        """Take over the faults of the setting; those of an earlier script that are not in it go.

        A fault of the same script that has fired before does not fire again.
        """
        keep = {fault.id for fault in script}
        with self._store.transaction() as state:
            for entry in state.all("fault"):
                name = entry["fault"]["id"]
                if name.startswith(SCRIPTED) and name not in keep:
                    state.delete("fault", name)
        self.inject(*script)

    def clear_faults(self) -> None:
        """Forget every fault that was injected; `firings` stays."""
        with self._store.transaction() as state:
            for entry in state.all("fault"):
                state.delete("fault", entry["fault"]["id"])

    def requests(self, operation: str | None = None) -> Sequence[LoggedRequest]:
        """Return the requests received so far, oldest first."""
        with self._store.transaction() as state:
            log = [LoggedRequest.model_validate(entry) for entry in state.all("request")]
        return [entry for entry in log if operation in (None, entry.operation)]

    def firings(self) -> Sequence[Firing]:
        """Return the faults that have fired, oldest first."""
        with self._store.transaction() as state:
            return [Firing.model_validate(entry) for entry in state.all("firing")]

    def jobs(self) -> Sequence[dict[str, Any]]:
        """Return the truth about every job of every account, oldest first, without any lag."""
        with self._store.transaction() as state:
            return state.all("job")

    def jobs_of(self, submission_id: str) -> Sequence[dict[str, Any]]:
        """Return the jobs made by a submission's create requests, even where metadata was dropped.

        More than one is a duplicate.
        """
        return [job for job in self.jobs() if job["sent_marker"] == submission_id]

    def set_walk(self, job_id: str, *words: str) -> None:
        """Let a job go through `words` from now on; the first is its status at once.

        Raises:
            KeyError: There is no such job.
        """
        with self._store.transaction() as state:
            job = state.get("job", job_id)
            if job is None:
                raise KeyError(job_id)
            state.put("job", job_id, {**job, "walk": list(words), "reads": 1})

    def set_deployment_walk(self, name: str, *words: str, account: str = DEFAULT_ACCOUNT) -> None:
        """Let a deployment go through `words` from now on; the first is its status at once.

        Raises:
            KeyError: There is no such deployment.
        """
        with self._store.transaction() as state:
            key = f"{account}/{name}"
            entry = state.get("deployment", key)
            if entry is None:
                raise KeyError(name)
            changed = {**entry, "status": words[0], "walk": list(words[1:])}
            state.put("deployment", key, changed)

    # --- inside ------------------------------------------------------------------------------

    def _receive(
        self, operation: str, body: dict[str, Any], account: str
    ) -> tuple[int, Sequence[Fault]]:
        """Write down the request and the faults that it meets, before anything happens."""
        now = self.clock.now().isoformat()
        with self._store.transaction() as state:
            number = state.next_number("request")
            entry = {
                "number": number,
                "operation": operation,
                "body": _loggable(body),
                "account": account,
                "at": now,
                "pid": os.getpid(),
                "outcome": "open",
            }
            state.put("request", str(number), entry)
            faults = _due_faults(state, operation)
            for fault in faults:
                firing = {
                    "fault": fault.model_dump(mode="json"),
                    "operation": operation,
                    "request": number,
                    "at": now,
                    "pid": os.getpid(),
                }
                state.put("firing", str(state.next_number("firing")), firing)
        return number, faults

    def _carry_out(
        self, operation: str, body: dict[str, Any], account: str, faults: Sequence[Fault]
    ) -> str:
        handler: Callable[[Call], Any] | None = OPERATIONS.get(operation)
        if handler is None:
            raise MemoryServerError(
                f"There is no operation {operation!r}.", status=400, code="invalid"
            )
        misbehaviour = {fault.kind: fault for fault in faults if fault.kind.misbehaviour}
        with self._store.transaction() as state:
            call = Call(
                state=state,
                # As after a journey over the network: nothing of the caller's can be shared.
                body=json.loads(json.dumps(body)),
                account=account,
                now=self.clock.now(),
                lag_seconds=self.lag_seconds,
                page_size=self.page_size,
                walk=self.walk,
                misbehaviour=misbehaviour,
            )
            return json.dumps(handler(call))

    def _play(self, fault: Fault, number: int, *, answer: str) -> str:
        """Do what the fault says; return the broken answer of those that answer at all."""
        self._note(number, f"{fault.when}: {fault.kind.value}")
        if fault.kind is FaultKind.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.kind is FaultKind.CRASH:
            raise InjectedCrash(f"scripted crash {fault.when} {fault.operation}")
        if fault.kind is FaultKind.TIMEOUT:
            raise TimeoutError("scripted: no answer in time")
        if fault.kind is FaultKind.RESET:
            raise ConnectionResetError("scripted: connection reset by peer")
        refused = refusal(fault.kind, retry_after=fault.seconds or None)
        if refused is not None:
            refused.request_id = f"request-{number:04d}"
            raise refused
        return answer[: len(answer) // 2] if fault.kind is FaultKind.TRUNCATED else "<html>oops"

    def _note(self, number: int, outcome: str) -> None:
        with self._store.transaction() as state:
            entry = state.get("request", str(number)) or {}
            state.put("request", str(number), {**entry, "outcome": str(outcome)})


def _loggable(body: dict[str, Any]) -> dict[str, Any]:
    return {k: f"<{len(str(v))} characters>" if k == "content" else v for k, v in body.items()}


def _due_faults(state: Transaction, operation: str) -> Sequence[Fault]:
    """Count the request against every fault that matches; return those that fire now."""
    due: list[Fault] = []
    for entry in state.all("fault"):
        fault = Fault.model_validate(entry["fault"])
        if fault.operation not in ("*", operation):
            continue
        if not fault.kind.misbehaviour and any(not other.kind.misbehaviour for other in due):
            continue  # One lost answer a request; this fault waits for the next.
        entry["seen"] += 1
        state.put("fault", fault.id, entry)
        past = entry["seen"] - fault.nth
        if past >= 0 and (fault.times is None or past < fault.times):
            due.append(fault)
    return due
