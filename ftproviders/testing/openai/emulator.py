"""An emulator of OpenAI's fine-tuning API: a real HTTP server on this machine, for the real SDK.

What each request does is in `files`, `jobs`, `models`, `chat` and `graders`; here is what surrounds
them: strictness, keys, the record of requests, scripted faults.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from ftproviders.testing.memory.store import Store, Transaction
from ftproviders.testing.openai import operations
from ftproviders.testing.openai.admin import ADMIN_PREFIX, administer
from ftproviders.testing.openai.call import Answer, Behaviour, Call
from ftproviders.testing.openai.checks import (
    answer_headers,
    check_key,
    checked_body,
    checked_query,
    key_word,
    no_such_request,
)
from ftproviders.testing.openai.clocks import Clock, SteerableClock
from ftproviders.testing.openai.faults import WireFault, WireFaultKind
from ftproviders.testing.openai.handlers import HANDLERS
from ftproviders.testing.openai.jobs import settle, view
from ftproviders.testing.openai.mischief import broken_reply, distort, refusal_reply
from ftproviders.testing.openai.operations import FORM, JSON, Operation
from ftproviders.testing.openai.record import (
    RecordedRequest,
    part_record,
    readable,
    safe_headers,
)
from ftproviders.testing.openai.refusal import ApiError
from ftproviders.testing.openai.script import FaultScript
from ftproviders.testing.openai.service import OPENAI, Service
from ftproviders.testing.openai.wire import HttpServer, RawRequest, Reply

__all__ = ["DEFAULT_KEY", "OpenAIEmulator"]

DEFAULT_KEY = "sk-emulated-0123456789abcdef"
_JOB_ACTS = frozenset({"cancelFineTuningJob", "pauseFineTuningJob", "resumeFineTuningJob"})


class OpenAIEmulator:
    """One emulated account at OpenAI, and the server that it is reached through.

    Use it as a context manager, or call `start` and `close`.

    Args:
        folder: Keep all state there, so that a server started later goes on with it; None = in a
            temporary folder that `close` removes.
        clock: Where the time of jobs, files and lists comes from; default the system's, which can
            be moved forward.
        api_key: The only key that is let in.
        behaviour: Durations, limits and habits of the service.
        faults: Faults to inject at once.
        host: Address to listen at.
        port: Port; 0 = any that is free.
        tick_seconds: Each request moves the clock forward by this much first, where the clock can
            be moved; so that polling alone makes jobs go on.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        clock: Clock | None = None,
        api_key: str = DEFAULT_KEY,
        behaviour: Behaviour | None = None,
        faults: Iterable[WireFault] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tick_seconds: float = 0.0,
    ) -> None:
        self.clock: Clock = clock or SteerableClock()
        self.api_key = api_key
        self.behaviour = behaviour or Behaviour()
        self.on_kill: Callable[[], None] | None = None
        """What a fault ``kill`` calls: it should end the process of whoever asks."""
        self._tick_seconds = tick_seconds
        self._temporary = tempfile.TemporaryDirectory(prefix="ftproviders-openai-")
        self._blobs = (folder or Path(self._temporary.name)) / "files"
        self.store = Store(folder)
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.faults = FaultScript(self.store)
        """The scripted faults: ``inject``, ``clear``, ``firings``."""
        self.faults.inject(*faults)
        self._address = (host, port)
        self._server: HttpServer | None = None

    # --- the server --------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen; does nothing when it listens already."""
        if self._server is None:
            host, port = self._address
            self._server = HttpServer(self._handle, host=host, port=port)
            self._address = (host, self._server.port)
        return self

    def close(self) -> None:
        """Stop listening, end every connection, and remove a temporary folder."""
        self.stop()
        self._temporary.cleanup()

    def stop(self) -> None:
        """Stop listening; `start` goes on at the same address with the same state."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def wait(self) -> None:
        """Block until the server is closed."""
        if self._server is not None:
            self._server.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def root_url(self) -> str:
        """Address without a path."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL; ends in ``/v1``."""
        return f"{self.root_url}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which an SDK, the library or the command line finds this server."""
        return {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": self.api_key}

    # --- what tests look at and do -----------------------------------------------------------

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """The requests received so far, oldest first."""
        with self.store.transaction() as state:
            return [RecordedRequest.model_validate(entry) for entry in state.all("request")]

    def requests_of(self, operation: str) -> Sequence[RecordedRequest]:
        """Return the requests of one operation, named as for a fault."""
        name = operations.OPERATION_NAMES[operation]
        return [request for request in self.requests if request.operation == name]

    def jobs(self) -> Sequence[dict[str, Any]]:
        """Return the truth about every job, oldest first: no lag, no faults."""
        with self.store.transaction() as state:
            call = self._call(state)
            settle(call)
            return [view(call, job) for job in state.all("job")]

    def jobs_of(self, submission_id: str) -> Sequence[dict[str, Any]]:
        """Return the jobs whose create request carried a submission's id anywhere in its metadata.

        More than one is a duplicate.
        """
        with self.store.transaction() as state:
            call = self._call(state)
            return [
                view(call, job)
                for job in state.all("job")
                if submission_id in (job["body"].get("metadata") or {}).values()
            ]

    def files(self) -> Sequence[dict[str, Any]]:
        """Return every file that was ever made and not deleted, oldest first."""
        with self.store.transaction() as state:
            return [file for file in state.all("file") if not file["deleted"]]

    def set_status(self, job_id: str, word: str | None) -> None:
        """Let the API show `word` as a job's status from now on; None = the true one again.

        Raises:
            KeyError: There is no such job.
        """
        with self.store.transaction() as state:
            job = state.get("job", job_id)
            if job is None:
                raise KeyError(job_id)
            state.put("job", job_id, {**job, "word": word})

    def fail_next_job(
        self,
        *,
        code: str = "server_error",
        message: str = "The job failed due to an internal error.",
        param: str | None = None,
        stage: str = "running",
    ) -> None:
        """Let the next job that is created fail.

        Args:
            code: Code of its error.
            message: Text of its error.
            param: Field that the error names.
            stage: ``validating_files``, ``running`` or ``moderation`` (after training).

        Raises:
            ValueError: There is no such stage.
        """
        if stage not in ("validating_files", "running", "moderation"):
            raise ValueError(f"a job cannot fail while {stage!r}")
        with self.store.transaction() as state:
            key = str(state.next_number("planned_failure"))
            entry = {"id": key, "code": code, "message": message, "param": param, "stage": stage}
            state.put("planned_failure", key, entry)

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            TypeError: The clock that was given cannot be moved.
        """
        move = getattr(self.clock, "advance", None)
        if move is None:
            raise TypeError(f"{type(self.clock).__name__} has no method advance")
        move(seconds)

    # --- what another service overrides ------------------------------------------------------

    def _service(self, target: str) -> Service:
        """Return whose manners a request is answered by."""
        del target
        return OPENAI

    def _route(self, method: str, path: str) -> tuple[Operation | None, Mapping[str, str], bool]:
        """Return the operation of a request, its parameters, and whether the path is known."""
        inner = path.removeprefix("/v1") if path.startswith("/v1/") else ""
        return operations.match(method, inner)

    def _key_word(self, raw: RawRequest) -> str:
        """Say whether a request's key is ``right``, ``wrong`` or ``missing``."""
        return key_word(raw, self.api_key)

    def _admit(self, raw: RawRequest, path: str) -> None:
        """Let a request in.

        Raises:
            ApiError: Its key is wrong, or something else that has nothing to do with its meaning.
        """
        del path
        check_key(self._key_word(raw))

    def _own_query(self, path: str, query: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return the query without what `_admit` has looked at."""
        del path
        return query

    # --- one request -------------------------------------------------------------------------

    def _handle(self, raw: RawRequest) -> Reply:
        url = urlsplit(raw.target)
        if url.path.startswith(ADMIN_PREFIX):
            return self._administer(raw, url.path)
        if self._tick_seconds:
            self.advance(self._tick_seconds)
        operation, params, known = self._route(raw.method, url.path)
        query = parse_qsl(url.query, keep_blank_values=True)
        number, faults = self._receive(raw, url.path, query, operation)
        fault = next((f for f in faults if not f.kind.misbehaviour), None)
        if fault is not None and fault.when == "before":
            return self._play(fault, number, Reply(200, {"id": "lost"}))
        misbehaviour = {f.kind: f for f in faults if f.kind.misbehaviour}
        skew = misbehaviour.get(WireFaultKind.CLOCK_SKEW)
        date = self._time(skew)
        try:
            self._admit(raw, url.path)
            if operation is None:
                raise no_such_request(raw.method, url.path, known=known)
            payload = self._carry_out(raw, operation, params, query, misbehaviour)
            reply = Reply(200, payload, answer_headers(number, date))
            outcome = "ok"
        except ApiError as error:
            reply = Reply(
                error.status,
                self._service(url.path).refused(error),
                {**answer_headers(number, date), **error.headers},
            )
            outcome = "refused"
        if fault is not None:
            return self._play(fault, number, reply)
        self._note(number, outcome, reply.status)
        return reply

    def _receive(
        self,
        raw: RawRequest,
        path: str,
        query: Sequence[tuple[str, str]],
        operation: Operation | None,
    ) -> tuple[int, Sequence[WireFault]]:
        """Write down the request and the faults that it meets, before anything happens."""
        now = self.clock.now().isoformat()
        content_type = raw.headers.get("content-type", "")
        name = operation.name if operation else None
        entry = {
            "operation": name,
            "method": raw.method,
            "path": path,
            "query": list(query),
            "headers": safe_headers(raw.headers),
            "key": self._key_word(raw),
            "body": readable(raw.body.read_bytes()) if content_type.startswith(JSON) else None,
            "parts": part_record(raw.body, content_type) if content_type.startswith(FORM) else [],
            "at": now,
        }
        with self.store.transaction() as state:
            number = state.next_number("request")
            state.put("request", str(number), {"number": number, **entry})
            return number, self.faults.due(state, name, number=number, at=now)

    def _carry_out(
        self,
        raw: RawRequest,
        operation: Operation,
        params: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        misbehaviour: Mapping[WireFaultKind, WireFault],
    ) -> Answer:
        path = urlsplit(raw.target).path
        asked = checked_query(operation, self._own_query(path, query))
        body, parts = checked_body(operation, raw)
        with self.store.transaction() as state:
            call = replace(
                self._call(state),
                service=self._service(raw.target),
                path=params,
                query=asked,
                body=body,
                parts=parts,
                misbehaviour=misbehaviour,
            )
            settle(call)
            before = self._old_answer(call, operation, raw.target)
            answer = HANDLERS[operation.name](call)
            if not isinstance(answer, dict):
                return answer
            if operation.method == "GET":
                state.put("answer", raw.target, answer)
            if WireFaultKind.STALE in misbehaviour and before is not None:
                answer = before
            return distort(answer, misbehaviour)

    def _old_answer(self, call: Call, operation: Operation, target: str) -> dict[str, Any] | None:
        """Return what a stale server would say: its last answer, or a job as it was."""
        if operation.name in _JOB_ACTS:
            job = call.state.get("job", call.path["fine_tuning_job_id"])
            return None if job is None else view(call, job)
        return call.state.get("answer", target) if operation.method == "GET" else None

    def _play(self, fault: WireFault, number: int, answer: Reply) -> Reply:
        """Do what the fault says."""
        reply = refusal_reply(fault) or broken_reply(fault, answer)
        self._note(number, f"{fault.when}: {fault.kind.value}", reply.status)
        if fault.kind is WireFaultKind.KILL and self.on_kill is not None:
            self.on_kill()
        headers = {**answer_headers(number, self._time(None)), **reply.headers}
        return replace(reply, headers=headers)

    def _note(self, number: int, outcome: str, status: int) -> None:
        with self.store.transaction() as state:
            entry = state.get("request", str(number)) or {}
            state.put("request", str(number), {**entry, "outcome": outcome, "status": status})

    def _administer(self, raw: RawRequest, path: str) -> Reply:
        try:
            check_key(self._key_word(raw))
            body = readable(raw.body.read_bytes())
            return Reply(200, administer(self, raw.method, path, body))
        except ApiError as error:
            return Reply(error.status, error.body)

    def _call(self, state: Transaction) -> Call:
        now = self._time(None).timestamp()
        return Call(state, self.behaviour, self._blobs, now, {}, {}, self._service(""))

    def _time(self, skew: WireFault | None) -> datetime:
        return self.clock.now() + timedelta(seconds=skew.seconds if skew else 0.0)
