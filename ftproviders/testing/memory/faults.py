"""Scripted faults of the in-memory server, as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from ftproviders.errors import ConfigurationError
from ftproviders.schema.value import Value

__all__ = ["REQUESTS", "SCRIPTED", "Fault", "FaultKind", "Firing", "InjectedCrash", "load_faults"]


SCRIPTED = "script-"
"""How the ids of faults begin that came from the setting, not from `MemoryServer.inject`."""

REQUESTS = frozenset(
    {
        "upload", "files", "download_file", "delete_file", "create", "find", "retrieve", "jobs",
        "cancel", "pause", "resume", "events", "checkpoints", "models", "chat", "deploy",
        "deployment", "deployments", "undeploy", "extend", "weights",
    }
)  # fmt: skip
"""The server's requests, by the names that a fault may give."""


class InjectedCrash(BaseException):
    """A scripted crash of this process, as good as a kill: no handler of ours may swallow it."""


class FaultKind(StrEnum):
    """What goes wrong."""

    # The server refuses, or its answer is lost: see `Fault.when`.
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    RESET = "reset"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    CONFLICT = "conflict"
    QUOTA = "quota"
    RETIRED = "retired"
    # This process ends.
    KILL = "kill"
    CRASH = "crash"
    # The server answers, but misbehaves.
    DROP_METADATA = "drop_metadata"
    LYING_FILTER = "lying_filter"
    STALE = "stale"
    UNKNOWN_STATUS = "unknown_status"
    CLOCK_SKEW = "clock_skew"
    LIST_LAG = "list_lag"

    @property
    def misbehaviour(self) -> bool:
        """True when the request is carried out and answered, only wrongly."""
        return self in _MISBEHAVIOUR


_MISBEHAVIOUR = frozenset(
    {
        FaultKind.DROP_METADATA,
        FaultKind.LYING_FILTER,
        FaultKind.STALE,
        FaultKind.UNKNOWN_STATUS,
        FaultKind.CLOCK_SKEW,
        FaultKind.LIST_LAG,
    }
)


class Fault(Value):
    """One scripted fault: it fires at the `nth` request of `operation`, `times` times in a row.

    Operations are the names of the server's requests: upload, files, download_file,
    delete_file, create, find, retrieve, jobs, cancel, pause, resume, events, checkpoints, models,
    chat, deploy, deployment, deployments, undeploy, extend; ``*`` is any of them.
    """

    operation: str
    kind: FaultKind
    when: Literal["before", "after"] = "before"
    """Before: nothing was carried out. After: it was, and the answer is lost."""
    nth: Annotated[int, Field(ge=1)] = 1
    """First matching request that is hit, counted from 1 since the fault was injected."""
    times: Annotated[int, Field(ge=1)] | None = 1
    """How many requests in a row are hit; None = every one from then on."""
    seconds: float = 0.0
    """For rate_limit: retry after. For clock_skew and list_lag: by how much."""
    word: str = "reticulating"
    """For unknown_status: the word that the server uses."""
    id: str = ""
    """Name of this fault in the log; a fault whose id the server knows is not injected again."""

    @field_validator("operation")
    @classmethod
    def _known(cls, operation: str) -> str:
        if operation != "*" and operation not in REQUESTS:
            raise ValueError(
                f"the server has no such request; it has {', '.join(sorted(REQUESTS))}"
            )
        return operation

    def __init__(self, operation: str | None = None, /, **data: Any) -> None:
        # Positional, so that a script of faults reads like a list: Fault("create", kind="reset").
        super().__init__(**(data if operation is None else {"operation": operation, **data}))


class Firing(Value):
    """A fault that has fired; written down before its effect is felt."""

    fault: Fault
    operation: str
    request: int
    """Number of the request that was hit, as in the request log."""
    at: datetime
    pid: int


def load_faults(source: str) -> Sequence[Fault]:
    """Read faults from JSON text (``[{"operation": "create", "kind": "reset"}]``) or a JSON file.

    Raises:
        ConfigurationError: No such file, no JSON, or no list of faults.
    """
    text = source.strip()
    try:
        if not text.startswith("["):
            text = Path(text).read_text(encoding="utf-8")
        faults = TypeAdapter(list[Fault]).validate_json(text)
    except (OSError, ValueError) as error:
        # Without the cause: its words repeat the text, which nobody checked for what it holds.
        raise ConfigurationError(
            f"The scripted faults of provider memory cannot be read: {_reason(error)}.",
            provider="memory",
            hint="FTPROVIDERS_MEMORY_FAULTS is a JSON list of faults, or the path of such a file.",
        ) from None
    return _named(faults)


def _reason(error: OSError | ValueError) -> str:
    """Say what is wrong with a script without repeating any of it."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        known = (str(p) for p in first["loc"] if isinstance(p, int) or p in Fault.model_fields)
        place = ".".join(known)
        return f"{place}: {first['msg']}" if place else first["msg"]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is neither JSON nor a file of UTF-8 text"


def _named(faults: Iterable[Fault]) -> Sequence[Fault]:
    """Give an id to every fault that has none: the same script always gives the same ids."""
    done: list[Fault] = []
    for position, fault in enumerate(faults):
        text = json.dumps(fault.model_dump(mode="json"), sort_keys=True)
        digest = hashlib.sha256(f"{position}:{text}".encode()).hexdigest()[:12]
        done.append(fault if fault.id else fault.model_copy(update={"id": f"{SCRIPTED}{digest}"}))
    return done
