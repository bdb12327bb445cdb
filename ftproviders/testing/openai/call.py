"""One request on its way through the emulator: what every operation gets and gives."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftproviders.testing.memory.store import Transaction
from ftproviders.testing.openai.faults import WireFault, WireFaultKind
from ftproviders.testing.openai.multipart import Part
from ftproviders.testing.openai.refusal import invalid

if TYPE_CHECKING:
    from ftproviders.testing.openai.service import Service

__all__ = ["Answer", "Behaviour", "Call", "Content", "Stream", "page_of"]

ORGANIZATION = "org-emulated"


@dataclass(frozen=True)
class Behaviour:
    """How the emulated service behaves; times in seconds of its clock."""

    processing_seconds: float = 0.0
    """An uploaded file is ready after this long."""
    validating_seconds: float = 10.0
    """A job validates its files this long."""
    queued_seconds: float = 20.0
    running_seconds: float = 120.0
    late_events_seconds: float = 0.0
    """The last events of a job are shown this long after its status says succeeded."""
    lag_seconds: float = 0.0
    """Lists show a file or a job this long after it was made."""
    page_size: int = 100
    """Most items in one page of a list, whatever is asked for."""
    file_limit_bytes: int = 512 * 1024**2
    part_limit_bytes: int = 64 * 1024**2
    metrics_in_data: bool = True
    """Metrics stand in the data of an event; else only in its message, as older jobs had it."""
    says_has_more: bool = True
    """Lists say whether there is more; else the field is left out, as some servers do."""
    heeds_after: bool = True
    """Lists go on after the item that is named; else every page is the first."""
    lying_filter: bool = False
    """Filters of lists are ignored."""
    hands_out_data: bool = True
    """Files for fine-tuning can be downloaded; else that is refused, as some accounts report."""
    closed: bool = False
    """The organisation may not create jobs any more."""
    organization: str = "emulated"
    """The part of a tuned model's name that tells whose it is."""
    id_salt: str = ""
    """Goes into every id: services with different ones have no id in common."""


@dataclass(frozen=True)
class Content:
    """An answer that is no JSON."""

    body: bytes | Path
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Stream:
    """An answer that comes as server-sent events."""

    chunks: Sequence[dict[str, Any]]


Answer = dict[str, Any] | Content | Stream


@dataclass(frozen=True)
class Call:
    """A request that has been read and is well formed."""

    state: Transaction
    behaviour: Behaviour
    blobs: Path
    """Folder with the content of files."""
    now: float
    """Seconds since 1970 by the server's clock."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    service: Service
    """Whose manners it is answered by."""
    body: Any = None
    """The JSON body."""
    parts: Sequence[Part] = ()
    """The parts of a multipart body."""
    misbehaviour: Mapping[WireFaultKind, WireFault] = field(default_factory=dict)

    def new_id(self, prefix: str) -> str:
        """Return an id that nothing else has; the same order of requests gives the same ids."""
        number = self.state.next_number(f"id:{prefix}")
        salted = f"{prefix}{number}{self.behaviour.id_salt}"
        digest = hashlib.sha256(salted.encode()).hexdigest()
        return f"{prefix}{digest[: self.service.id_digits]}"

    def hidden_until(self) -> float:
        """Return when lists begin to show what this request makes."""
        lag = self.misbehaviour.get(WireFaultKind.LIST_LAG)
        return self.now + (lag.seconds if lag else self.behaviour.lag_seconds)

    @property
    def filters_hold(self) -> bool:
        """False where a list answers with everything, whatever was asked for."""
        return not (self.behaviour.lying_filter or WireFaultKind.LYING_FILTER in self.misbehaviour)


def page_of(
    call: Call,
    items: Sequence[dict[str, Any]],
    *,
    default: int,
    most: int,
    cursors: bool = True,
) -> dict[str, Any]:
    """Return one page of a list, by the ``after`` and ``limit`` of the request.

    Args:
        call: The request.
        items: All items in the order of the list.
        default: Size of a page when the request does not say.
        most: Largest ``limit`` that may be asked for.
        cursors: Whether the list's answers have ``first_id`` and ``last_id``.

    Raises:
        ApiError: ``limit`` is no number within bounds, or there is no item ``after``.
    """
    limit = _limit(call.query.get("limit"), default=default, most=most)
    start = 0
    after = call.query.get("after") if call.behaviour.heeds_after else None
    if after is not None:
        places = [place for place, item in enumerate(items) if item["id"] == after]
        if not places:
            raise invalid(
                f"Invalid value for 'after': nothing has the id '{after}'.", param="after"
            )
        start = places[0] + 1
    page = list(items[start : start + min(limit, call.behaviour.page_size)])
    answer: dict[str, Any] = {"object": "list", "data": page}
    if call.behaviour.says_has_more:
        answer["has_more"] = start + len(page) < len(items)
    if cursors:
        # The description of files wants strings here even when the list is empty.
        answer["first_id"] = page[0]["id"] if page else ""
        answer["last_id"] = page[-1]["id"] if page else ""
    return answer


def _limit(asked: str | None, *, default: int, most: int) -> int:
    if asked is None:
        return default
    if not asked.isdecimal() or not 1 <= int(asked) <= most:
        raise invalid(
            f"Invalid value for 'limit': '{asked}' is no number from 1 to {most}.", param="limit"
        )
    return int(asked)
