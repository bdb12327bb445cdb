"""What may go wrong while one command runs: faults of the service, and breakdowns of our own."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from ftproviders.testing.openai import WireFault
from tests.stateful.process import WRITE, Breakdown

CREATE, LIST = "createFineTuningJob", "listPaginatedFineTuningJobs"
SETTLE_SECONDS = 60.0
_UPLOAD, _FILES, _READ = "createFile", "listFiles", "retrieveFineTuningJob"

_BEFORE = (
    "rate_limit", "server_error", "unavailable", "request_timeout", "bad_gateway", "reset",
    "truncated", "malformed", "empty", "quota", "invalid",
)  # fmt: skip
_AFTER = (
    "reset", "server_error", "unavailable", "request_timeout", "bad_gateway", "truncated",
    "malformed", "empty",
)  # fmt: skip
_ODD = ("unknown_fields", "nulls", "unknown_status", "clock_skew", "lying_filter")
_LAGS = (20.0, 200.0, 5000.0)
"""Shorter than the settle window, longer, and much longer."""


@dataclass(frozen=True)
class Weather:
    """What goes wrong during one command."""

    faults: tuple[WireFault, ...] = ()
    breakdown: Breakdown | None = None


def _fault(operation: str, kind: str, when: str = "before", **more: float) -> WireFault:
    return WireFault.model_validate({"operation": operation, "kind": kind, "when": when, **more})


_lost = st.one_of(
    st.sampled_from([(kind, "before") for kind in _BEFORE]),
    st.sampled_from([(kind, "after") for kind in _AFTER]),
)


@st.composite
def _creating(draw: st.DrawFn) -> tuple[WireFault, ...]:
    """Say how the service treats the create request of a command."""
    faults = []
    if draw(st.booleans()):
        kind, when = draw(_lost)
        faults.append(_fault(CREATE, kind, when, times=draw(st.sampled_from([1, 1, 6]))))
    lag = draw(st.sampled_from([0.0, *_LAGS]))
    if lag:
        faults.append(_fault(CREATE, "list_lag", seconds=lag, times=6))
    if draw(st.sampled_from([False, False, False, True])):
        faults.append(_fault(CREATE, "drop_metadata", times=6))
    return tuple(faults)


@st.composite
def _elsewhere(draw: st.DrawFn) -> tuple[WireFault, ...]:
    """Say how the service treats one of the other requests of a command."""
    operation = draw(st.sampled_from([LIST, LIST, _UPLOAD, _FILES, _READ, "*"]))
    kind, when = draw(st.one_of(_lost, st.sampled_from([(kind, "before") for kind in _ODD])))
    times = draw(st.sampled_from([1, 2, 8]))
    nth = draw(st.integers(1, 4))
    return (_fault(operation, kind, when, nth=nth, times=times, seconds=-7200.0 * _skews(kind)),)


def _skews(kind: str) -> bool:
    return kind == "clock_skew"


_when = st.sampled_from(["before", "after"])
_breakdowns = st.one_of(
    st.builds(Breakdown, st.sampled_from([CREATE, LIST, _UPLOAD, "*"]), st.just("kill"), _when,
              st.integers(1, 3)),
    st.builds(Breakdown, st.just(WRITE), st.just("kill"), _when, st.integers(1, 7)),
    st.builds(Breakdown, st.just("*"), st.just("kill"), _when, st.integers(1, 16)),
    st.builds(Breakdown, st.sampled_from([CREATE, LIST]), st.just("timeout"), _when),
    st.builds(Breakdown, st.just(WRITE), st.just("disk full"), st.just("before"),
              st.integers(1, 7)),
)  # fmt: skip
_fair = st.just(())

submitting = st.builds(
    lambda one, two, breakdown: Weather((*one, *two), breakdown),
    _creating(),
    st.one_of(_fair, _elsewhere()),
    st.one_of(st.none(), _breakdowns),
)
"""Weather of a submit; the create request has most of it."""

anything_else = st.builds(
    lambda faults, breakdown: Weather(faults, breakdown),
    st.one_of(_fair, _elsewhere()),
    st.one_of(st.none(), st.none(), _breakdowns),
)
"""Weather of any other command."""
