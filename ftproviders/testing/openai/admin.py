"""The control path of an emulator: what a test of another process, or a person with curl, can do.

All requests need the emulator's key. Paths begin with ``/_emulator/``:

- ``GET requests``, ``jobs``, ``files``, ``firings``: what the server knows
- ``POST faults`` (a list of `WireFault` as JSON), ``DELETE faults``
- ``POST clock`` ``{"advance_seconds": 60}``
- ``POST status`` ``{"job": "ftjob-...", "status": "pausing"}``; status null = the true one again
- ``POST failure`` ``{"code": ..., "message": ..., "param": ..., "stage": ...}``: of the next job
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from ftproviders.testing.openai.faults import WireFault
from ftproviders.testing.openai.refusal import ApiError, invalid

if TYPE_CHECKING:
    from ftproviders.testing.openai.emulator import OpenAIEmulator

__all__ = ["ADMIN_PREFIX", "administer"]

ADMIN_PREFIX = "/_emulator/"

_Act = Callable[["OpenAIEmulator", Any], dict[str, Any]]


def administer(emulator: OpenAIEmulator, method: str, path: str, body: object) -> dict[str, Any]:
    """Carry out one request of the control path.

    Raises:
        ApiError: There is no such request, or its body is wrong.
    """
    act = _ACTS.get((method, path.removeprefix(ADMIN_PREFIX)))
    if act is None:
        known = ", ".join(f"{verb} {name}" for verb, name in _ACTS)
        raise ApiError(f"The control path has only: {known}", status=404)
    try:
        return act(emulator, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(piece) for piece in first["loc"])
        raise invalid(f"{place}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise invalid(f"The body does not fit: {error}") from None


def _requests(emulator: OpenAIEmulator, _: object) -> dict[str, Any]:
    return {"data": [request.model_dump(mode="json") for request in emulator.requests]}


def _jobs(emulator: OpenAIEmulator, _: object) -> dict[str, Any]:
    return {"data": list(emulator.jobs())}


def _files(emulator: OpenAIEmulator, _: object) -> dict[str, Any]:
    return {"data": list(emulator.files())}


def _firings(emulator: OpenAIEmulator, _: object) -> dict[str, Any]:
    return {"data": [firing.model_dump(mode="json") for firing in emulator.faults.firings]}


def _inject(emulator: OpenAIEmulator, body: object) -> dict[str, Any]:
    faults = TypeAdapter(list[WireFault]).validate_python(body)
    emulator.faults.inject(*faults)
    return {"injected": len(faults)}


def _clear(emulator: OpenAIEmulator, _: object) -> dict[str, Any]:
    emulator.faults.clear()
    return {"cleared": True}


def _advance(emulator: OpenAIEmulator, body: Any) -> dict[str, Any]:
    emulator.advance(float(body["advance_seconds"]))
    return {"now": emulator.clock.now().isoformat()}


def _status(emulator: OpenAIEmulator, body: Any) -> dict[str, Any]:
    emulator.set_status(body["job"], body["status"])
    return {"job": body["job"], "status": body["status"]}


def _failure(emulator: OpenAIEmulator, body: Any) -> dict[str, Any]:
    emulator.fail_next_job(**(body or {}))
    return {"planned": True}


_ACTS: Mapping[tuple[str, str], _Act] = {
    ("GET", "requests"): _requests,
    ("GET", "jobs"): _jobs,
    ("GET", "files"): _files,
    ("GET", "firings"): _firings,
    ("POST", "faults"): _inject,
    ("DELETE", "faults"): _clear,
    ("POST", "clock"): _advance,
    ("POST", "status"): _status,
    ("POST", "failure"): _failure,
}
