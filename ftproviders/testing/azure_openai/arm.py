"""An emulator of Azure Resource Manager, as far as deployments of Azure OpenAI need it, over TLS.

What each request does is in `arm_handlers`, what a body must be in `arm_rules`; here is what
surrounds them: strictness, tokens, the record of requests, scripted faults.
"""

from __future__ import annotations

import email.utils
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from ftproviders.testing.azure_openai.arm_call import ArmAnswer, ArmCall
from ftproviders.testing.azure_openai.arm_faults import (
    ArmError,
    ArmFault,
    ArmFiring,
    arm_refusal,
    distort_arm,
)
from ftproviders.testing.azure_openai.arm_handlers import carry_out
from ftproviders.testing.azure_openai.arm_operations import ARM_NAMES, match_arm
from ftproviders.testing.azure_openai.identity import ARM_AUDIENCE, IdentityEmulator
from ftproviders.testing.azure_openai.resource import Resource
from ftproviders.testing.azure_openai.tls import Authority
from ftproviders.testing.openai.faults import WireFault, WireFaultKind
from ftproviders.testing.openai.mischief import broken_reply
from ftproviders.testing.openai.operations import Operation
from ftproviders.testing.openai.record import RecordedRequest, readable, safe_headers
from ftproviders.testing.openai.script import FaultScript
from ftproviders.testing.openai.wire import HttpServer, RawRequest, Reply

__all__ = ["ArmEmulator"]

_REFUSALS: Mapping[str, tuple[str, str]] = {
    "missing": (
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
    ),
    "wrong": ("InvalidAuthenticationToken", "The access token is invalid."),
    "expired": (
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than current UTC time.",
    ),
    "audience": (
        "InvalidAuthenticationTokenAudience",
        f"The access token has been obtained for wrong audience. The allowed is '{ARM_AUDIENCE}'.",
    ),
}


class ArmEmulator:
    """The management plane of one emulated resource.

    Use it as a context manager, or call `start` and `close`.

    Args:
        resource: The resource whose deployments it makes; shared with the data plane.
        identity: Whose tokens it lets in; None = one of its own, which is started and closed too.
        others: Resources whose tuned models can be deployed here, by ``model.source``.
        folder: Where certificates are written; None = a temporary folder.
        faults: Faults to inject at once.
        host: Address to listen at.
        port: Port; 0 = any that is free.
        tick_seconds: Each request moves the clock forward by this much first, where the clock can
            be moved; so that polling alone makes deployments go on.
    """

    def __init__(
        self,
        resource: Resource | None = None,
        *,
        identity: IdentityEmulator | None = None,
        others: Iterable[Resource] = (),
        folder: Path | None = None,
        faults: Iterable[ArmFault] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tick_seconds: float = 0.0,
    ) -> None:
        self.resource = resource or Resource()
        self._tick_seconds = tick_seconds
        self._owns_identity = identity is None
        self.identity = identity or IdentityEmulator(host=host)
        self.others = {other.id.lower(): other for other in others}
        self.may_write = True
        """False = whoever asks has a role that only reads: no deploying, no deleting."""
        self.on_kill: Callable[[], None] | None = None
        """What a fault ``kill`` calls: it should end the process of whoever asks."""
        self._temporary = tempfile.TemporaryDirectory(prefix="ftproviders-arm-")
        self.authority = Authority((folder or Path(self._temporary.name)) / "tls")
        self.faults = FaultScript(self.resource.store, fault=ArmFault, firing=ArmFiring)
        """The scripted faults: ``inject``, ``clear``, ``firings``."""
        self.faults.inject(*faults)
        self._address = (host, port)
        self._server: HttpServer | None = None

    # --- the server --------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen; does nothing when it listens already."""
        if self._server is None:
            host, port = self._address
            self._server = HttpServer(
                self._handle, host=host, port=port, tls=self.authority.context()
            )
            self._address = (host, self._server.port)
        if self._owns_identity:
            self.identity.start()
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
        if self._owns_identity:
            self.identity.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def root_url(self) -> str:
        """Address without a path."""
        host, port = self._address
        return f"https://{host}:{port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which the library and Azure's SDKs find this server, and trust it."""
        return {
            **self.identity.environment,
            "AZURE_SUBSCRIPTION_ID": self.resource.subscription,
            "AZURE_RESOURCE_GROUP": self.resource.group,
            "FTPROVIDERS_AZURE_OPENAI_RESOURCE": self.resource.name,
            "FTPROVIDERS_AZURE_OPENAI_ARM_ENDPOINT": self.root_url,
            "REQUESTS_CA_BUNDLE": str(self.authority.bundle),
        }

    # --- what tests look at and do -----------------------------------------------------------

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """The requests received so far, oldest first."""
        with self.resource.store.transaction() as state:
            return [RecordedRequest.model_validate(entry) for entry in state.all("request")]

    def requests_of(self, operation: str) -> Sequence[RecordedRequest]:
        """Return the requests of one operation, named as for a fault."""
        name = ARM_NAMES[operation]
        return [request for request in self.requests if request.operation == name]

    def fail_next_deployment(
        self, *, code: str = "InternalServerError", message: str = "The deployment failed."
    ) -> None:
        """Let the next deployment that is made end as Failed, with this reason."""
        with self.resource.store.transaction() as state:
            key = str(state.next_number("planned_failure"))
            state.put("planned_failure", key, {"id": key, "code": code, "message": message})

    def advance(self, seconds: float) -> None:
        """Move the resource's clock forward.

        Raises:
            TypeError: The clock that was given cannot be moved.
        """
        move = getattr(self.resource.clock, "advance", None)
        if move is None:
            raise TypeError(f"{type(self.resource.clock).__name__} has no method advance")
        move(seconds)

    # --- one request -------------------------------------------------------------------------

    def _handle(self, raw: RawRequest) -> Reply:
        if self._tick_seconds:
            self.advance(self._tick_seconds)
        url = urlsplit(raw.target)
        operation, params = match_arm(raw.method, url.path)
        query = parse_qsl(url.query, keep_blank_values=True)
        number, faults = self._receive(raw, url.path, query, operation)
        fault = next((f for f in faults if not f.kind.misbehaviour), None)
        if fault is not None and fault.when == "before":
            return self._play(fault, number, Reply(200, {"id": "lost"}))
        misbehaviour = {f.kind: f for f in faults if f.kind.misbehaviour}
        headers = self._headers(number, misbehaviour.get(WireFaultKind.CLOCK_SKEW))
        try:
            self._let_in(raw)
            answer = self._carry_out(raw, operation, params, query, misbehaviour)
            body: dict[str, Any] | str = "" if answer.body is None else answer.body
            reply = Reply(answer.status, body, {**headers, **answer.headers})
            outcome = "ok"
        except ArmError as error:
            reply = Reply(error.status, error.body, {**headers, **error.headers})
            outcome = "refused"
        if fault is not None:
            return self._play(fault, number, reply)
        self._note(number, outcome, reply.status)
        return reply

    def _let_in(self, raw: RawRequest) -> None:
        verdict = self.identity.verdict(raw.headers.get("authorization"), (ARM_AUDIENCE,))
        if verdict != "right":
            code, message = _REFUSALS[verdict]
            raise ArmError(401, code, message)

    def _carry_out(
        self,
        raw: RawRequest,
        operation: Operation | None,
        params: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        misbehaviour: Mapping[WireFaultKind, WireFault],
    ) -> ArmAnswer:
        if operation is None:
            path = urlsplit(raw.target).path
            raise ArmError(400, "InvalidResourceType", f"No such request: {raw.method} {path}")
        strange = sorted({name for name, _ in query} - operation.query)
        if strange or len(dict(query)) != len(query):
            raise ArmError(400, "InvalidQueryParameter", f"Unknown in the query: {strange}")
        call = ArmCall(
            resource=self.resource,
            others=self.others,
            root_url=self.root_url,
            path=params,
            query=dict(query),
            body=_body(operation, raw),
            may_write=self.may_write,
            misbehaviour=misbehaviour,
        )
        answer = carry_out(operation.name, call)
        if answer.body is None:
            return answer
        return replace(answer, body=self._told(raw, answer.body, misbehaviour))

    def _told(
        self,
        raw: RawRequest,
        body: dict[str, Any],
        misbehaviour: Mapping[WireFaultKind, WireFault],
    ) -> dict[str, Any]:
        """Return what is told: the truth, or what a stale or strange server makes of it."""
        if raw.method == "GET":
            with self.resource.store.transaction() as state:
                before = state.get("answer", raw.target)
                state.put("answer", raw.target, body)
            if WireFaultKind.STALE in misbehaviour and before is not None:
                body = before
        return distort_arm(body, misbehaviour)

    def _receive(
        self,
        raw: RawRequest,
        path: str,
        query: Sequence[tuple[str, str]],
        operation: Operation | None,
    ) -> tuple[int, Sequence[WireFault]]:
        """Write down the request and the faults that it meets, before anything happens."""
        now = self.resource.clock.now().isoformat()
        name = operation.name if operation else None
        authorization = raw.headers.get("authorization")
        verdict = self.identity.verdict(authorization, (ARM_AUDIENCE,))
        entry = {
            "operation": name,
            "method": raw.method,
            "path": path,
            "query": list(query),
            "headers": safe_headers(raw.headers),
            "key": verdict if verdict in ("right", "missing") else "wrong",
            "body": readable(raw.body.read_bytes()),
            "at": now,
        }
        with self.resource.store.transaction() as state:
            number = state.next_number("request")
            state.put("request", str(number), {"number": number, **entry})
            return number, self.faults.due(state, name, number=number, at=now)

    def _play(self, fault: WireFault, number: int, answer: Reply) -> Reply:
        """Do what the fault says."""
        reply = arm_refusal(fault) or broken_reply(fault, answer)
        self._note(number, f"{fault.when}: {fault.kind.value}", reply.status)
        if fault.kind is WireFaultKind.KILL and self.on_kill is not None:
            self.on_kill()
        return replace(reply, headers={**self._headers(number, None), **reply.headers})

    def _note(self, number: int, outcome: str, status: int) -> None:
        with self.resource.store.transaction() as state:
            entry = state.get("request", str(number)) or {}
            state.put("request", str(number), {**entry, "outcome": outcome, "status": status})

    def _headers(self, number: int, skew: WireFault | None) -> dict[str, str]:
        date: datetime = self.resource.clock.now()
        date += timedelta(seconds=skew.seconds if skew else 0.0)
        return {
            "x-ms-request-id": f"{number:08x}-0000-4000-8000-000000000000",
            "Date": email.utils.format_datetime(date.astimezone(UTC), usegmt=True),
        }


def _body(operation: Operation, raw: RawRequest) -> Any:
    content = raw.body.read_bytes()
    if operation.content_type is None:
        if content:
            raise ArmError(400, "InvalidRequestContent", "This request has no body.")
        return None
    if raw.headers.get("content-type", "").split(";")[0].strip() != operation.content_type:
        raise ArmError(415, "UnsupportedMediaType", "The content media type is not supported.")
    try:
        return json.loads(content)
    except ValueError:
        raise ArmError(400, "InvalidRequestContent", "The body is no JSON.") from None
