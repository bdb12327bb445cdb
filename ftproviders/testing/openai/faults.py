"""Scripted faults of the emulator, as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from ftproviders.schema.value import Value
from ftproviders.testing.openai.operations import OPERATION_NAMES

__all__ = ["Firing", "WireFault", "WireFaultKind"]


class WireFaultKind(StrEnum):
    """What goes wrong on the wire."""

    # The server refuses, before or after it has carried out the request: see `WireFault.when`.
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    REQUEST_TIMEOUT = "request_timeout"
    BAD_GATEWAY = "bad_gateway"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    QUOTA = "quota"
    RETIRED = "retired"
    REDIRECT = "redirect"
    # No whole answer comes back.
    RESET = "reset"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    EMPTY = "empty"
    # Whoever asked is to die: the emulator calls its `on_kill`.
    KILL = "kill"
    # The server answers, but not as usual.
    UNKNOWN_STATUS = "unknown_status"
    UNKNOWN_FIELDS = "unknown_fields"
    NULLS = "nulls"
    STALE = "stale"
    CLOCK_SKEW = "clock_skew"
    LIST_LAG = "list_lag"
    LYING_FILTER = "lying_filter"
    DROP_METADATA = "drop_metadata"

    @property
    def misbehaviour(self) -> bool:
        """True when the request is carried out and answered, only in an unusual way."""
        return self in _MISBEHAVIOUR


_MISBEHAVIOUR = frozenset(
    {
        WireFaultKind.UNKNOWN_STATUS,
        WireFaultKind.UNKNOWN_FIELDS,
        WireFaultKind.NULLS,
        WireFaultKind.STALE,
        WireFaultKind.CLOCK_SKEW,
        WireFaultKind.LIST_LAG,
        WireFaultKind.LYING_FILTER,
        WireFaultKind.DROP_METADATA,
    }
)


class WireFault(Value):
    """One scripted fault: it fires at the `nth` request of `operation`, `times` times in a row.

    An operation is a method and a path as in OpenAI's description, without the host and ``/v1``:
    ``POST /fine_tuning/jobs``, ``GET /fine_tuning/jobs/{fine_tuning_job_id}``; or the description's
    name of it, ``createFineTuningJob``; or ``*``, any request at all.
    """

    operation: str
    kind: WireFaultKind
    when: Literal["before", "after"] = "before"
    """Before: nothing was carried out. After: it was, and the answer is lost."""
    nth: Annotated[int, Field(ge=1)] = 1
    """First matching request that is hit, counted from 1 since the fault was injected."""
    times: Annotated[int, Field(ge=1)] | None = 1
    """How many requests in a row are hit; None = every one from then on."""
    seconds: float = 0.0
    """For rate_limit: retry after. For clock_skew and list_lag: by how much, on the server's clock.
    For timeout: how long the connection is held at most; 0 = until the client leaves."""
    word: str = "reticulating"
    """For unknown_status: the word. For redirect: where to."""
    id: str = ""
    """Name of this fault; given by the emulator when empty."""

    operations: ClassVar[Mapping[str, str]] = OPERATION_NAMES
    """Every way to write an operation -> its name. A subclass for another emulator has its own."""

    @field_validator("operation")
    @classmethod
    def _known(cls, operation: str) -> str:
        name = cls.operations.get(operation, operation)
        if name != "*" and name not in cls.operations.values():
            raise ValueError(
                "the emulator has no such request; it has "
                + ", ".join(sorted(set(cls.operations.values())))
            )
        return name

    def __init__(self, operation: str | None = None, /, **data: Any) -> None:
        # Positional, so that a script of faults reads like a list.
        super().__init__(**(data if operation is None else {"operation": operation, **data}))


class Firing(Value):
    """A fault that has fired; written down before its effect is felt."""

    fault: WireFault
    operation: str
    request: int
    """Number of the request that was hit."""
    at: datetime
