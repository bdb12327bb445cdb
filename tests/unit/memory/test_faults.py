"""Each scripted fault does what it says, as often as it says, and is written down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ftproviders.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    InvalidRequestError,
    ModelRetiredError,
    NotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedResponseError,
)
from ftproviders.schema.job import Found, JobRef, JobStatus, NotSeen, SubmissionQuery
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.faults import (
    REQUESTS,
    Fault,
    FaultKind,
    InjectedCrash,
    load_faults,
)
from ftproviders.testing.memory.options import MemorySettings
from ftproviders.testing.memory.server import MemoryServer
from ftproviders.testing.memory.service import OPERATIONS

Create = Callable[..., JobRef]

REFUSED: list[tuple[FaultKind, type[ProviderError]]] = [
    (FaultKind.RATE_LIMIT, RateLimitError),
    (FaultKind.UNAUTHORIZED, AuthenticationError),
    (FaultKind.FORBIDDEN, PermissionDeniedError),
    (FaultKind.NOT_FOUND, NotFoundError),
    (FaultKind.INVALID, InvalidRequestError),
    (FaultKind.CONFLICT, ConflictError),
    (FaultKind.QUOTA, QuotaExceededError),
    (FaultKind.RETIRED, ModelRetiredError),
]
UNCLEAR: list[tuple[FaultKind, type[ProviderError]]] = [
    (FaultKind.UNAVAILABLE, ProviderUnavailableError),
    (FaultKind.SERVER_ERROR, ProviderUnavailableError),
    (FaultKind.TIMEOUT, ProviderTimeoutError),
    (FaultKind.RESET, ProviderConnectionError),
    (FaultKind.TRUNCATED, UnexpectedResponseError),
    (FaultKind.MALFORMED, UnexpectedResponseError),
]


def query(submission_id: str) -> SubmissionQuery:
    return SubmissionQuery(submission_id=submission_id, base_model="memory-small")


@pytest.mark.parametrize(("kind", "error"), REFUSED)
def test_refusal_before_create_is_definite(
    kind: FaultKind,
    error: type[ProviderError],
    adapter: MemoryAdapter,
    server: MemoryServer,
    create: Create,
) -> None:
    server.inject(Fault("create", kind=kind))
    with pytest.raises(error) as caught:
        create(adapter)
    assert type(caught.value) is error
    assert caught.value.maybe_executed is False
    assert caught.value.hint
    assert caught.value.__cause__ is not None
    assert caught.value.request_id == "request-0002"
    assert server.jobs() == []
    assert [firing.fault.kind for firing in server.firings()] == [kind]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "error"), UNCLEAR)
def test_lost_answer_of_create_is_unclear(
    kind: FaultKind,
    error: type[ProviderError],
    when: str,
    adapter: MemoryAdapter,
    server: MemoryServer,
    create: Create,
) -> None:
    server.inject(Fault("create", kind=kind, when=when))
    with pytest.raises(error) as caught:
        create(adapter)
    assert caught.value.maybe_executed is True
    assert len(server.jobs_of("ft-one")) == (1 if when == "after" else 0)
    assert server.requests("create")[0].outcome == f"{when}: {kind.value}"
    found = adapter.find(query("ft-one"))
    assert isinstance(found, Found if when == "after" else NotSeen)


def test_rate_limit_says_how_long(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    server.inject(Fault("create", kind=FaultKind.RATE_LIMIT, seconds=7))
    with pytest.raises(RateLimitError) as caught:
        create(adapter)
    assert caught.value.retry_after == 7


def test_nth_and_times(adapter: MemoryAdapter, server: MemoryServer) -> None:
    server.inject(Fault("models", kind=FaultKind.UNAVAILABLE, nth=2, times=2))
    outcomes = []
    for _ in range(5):
        try:
            adapter.check()
            outcomes.append("ok")
        except ProviderUnavailableError:
            outcomes.append("fault")
    assert outcomes == ["ok", "fault", "fault", "ok", "ok"]
    assert [firing.request for firing in server.firings()] == [2, 3]


def test_two_faults_on_one_request_come_one_after_the_other(
    adapter: MemoryAdapter, server: MemoryServer
) -> None:
    server.inject(Fault("models", kind=FaultKind.TIMEOUT), Fault("*", kind=FaultKind.RESET))
    with pytest.raises(ProviderTimeoutError):
        adapter.check()
    with pytest.raises(ProviderConnectionError):
        adapter.check()
    adapter.check()
    assert len(server.firings()) == 2


def test_crash_is_no_exception_that_a_handler_could_swallow(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    server.inject(Fault("create", kind=FaultKind.CRASH, when="after"))
    with pytest.raises(InjectedCrash):
        create(adapter)
    assert len(server.jobs_of("ft-one")) == 1
    assert not issubclass(InjectedCrash, Exception)


def test_dropped_metadata_leaves_a_job_without_marker(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    server.inject(Fault("create", kind=FaultKind.DROP_METADATA))
    ref = create(adapter)
    name = server.jobs()[0]["training_file_name"]
    answer = adapter.find(
        query("ft-one").model_copy(update={"file_digests": (name.split(".")[-2],)})
    )
    assert isinstance(answer, NotSeen)
    assert [job.ref for job in answer.similar] == [ref]
    assert len(server.jobs_of("ft-one")) == 1


def test_filter_lies_only_when_told(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    create(adapter, "ft-one")
    create(adapter, "ft-two")
    body = {"metadata": {"ftproviders_submission": "ft-one"}}
    honest = json.loads(server.request("jobs", body))
    assert [job["id"] for job in honest["data"]] == ["job-0001"]
    server.inject(Fault("jobs", kind=FaultKind.LYING_FILTER))
    lying = json.loads(server.request("jobs", body))
    assert [job["id"] for job in lying["data"]] == ["job-0002", "job-0001"]


def test_stale_answer_does_not_move_the_job(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    ref = create(adapter)
    for _ in range(4):
        last = adapter.retrieve(ref)
    assert last.status is JobStatus.SUCCEEDED
    server.inject(Fault("retrieve", kind=FaultKind.STALE))
    assert adapter.retrieve(ref).status is JobStatus.VALIDATING
    assert adapter.retrieve(ref) == last


def test_unknown_word(adapter: MemoryAdapter, server: MemoryServer, create: Create) -> None:
    ref = create(adapter)
    server.inject(Fault("retrieve", kind=FaultKind.UNKNOWN_STATUS, word="dreaming"))
    snapshot = adapter.retrieve(ref)
    assert (snapshot.status, snapshot.raw_status) == (JobStatus.UNKNOWN, "dreaming")
    assert adapter.retrieve(ref).raw_status == "queued"


def test_clock_skew_shifts_what_is_told_and_not_the_lag(
    adapter: MemoryAdapter, server: MemoryServer, create: Create, clock: FakeClock
) -> None:
    server.inject(
        Fault("create", kind=FaultKind.CLOCK_SKEW, seconds=-3600),
        Fault("create", kind=FaultKind.LIST_LAG, seconds=30),
    )
    ref = create(adapter)
    created_at = adapter.retrieve(ref).created_at
    assert created_at is not None
    assert (created_at - clock.now()).total_seconds() == -3600
    assert isinstance(adapter.find(query("ft-one")), NotSeen)
    clock.advance(30)
    assert isinstance(adapter.find(query("ft-one")), Found)


def test_script_is_read_from_text_and_from_file(tmp_path: Path) -> None:
    text = json.dumps([{"operation": "create", "kind": "kill", "when": "after"}])
    file = tmp_path / "faults.json"
    file.write_text(text)
    assert list(load_faults(text)) == list(load_faults(str(file)))
    assert load_faults(text)[0].id.startswith("script-")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('[{"operation": "create", "kind": "sk-secret"}]', "0.kind: Input should be 'rate_limit'"),
        ('[{"operation": "create", "kind": "reset", "sk-secret": 1}]', "0: Extra inputs"),
        ('[{"operation": "create", "word": "sk-secret"', "Invalid JSON: EOF"),
        ("[sk-secret]", "Invalid JSON"),
        ("/no/sk-secret", "No such file or directory"),
        ('{"operation": "sk-secret"}', "No such file or directory"),
        ("sk-secret" * 1000, "File name too long"),
        ("sk-secret\0", "neither JSON nor a file"),
    ],
)
def test_bad_script_is_explained_and_not_repeated(source: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="FTPROVIDERS_MEMORY_FAULTS") as caught:
        load_faults(source)
    assert reason in caught.value.message
    assert "sk-secret" not in "".join(traceback.format_exception(caught.value))


def test_script_fires_once_however_often_the_folder_is_opened(settings: MemorySettings) -> None:
    script = json.dumps([{"operation": "models", "kind": "reset"}])
    scripted = settings.model_copy(update={"faults": script})
    with pytest.raises(ProviderConnectionError):
        MemoryAdapter(scripted).check()
    MemoryAdapter(scripted).check()
    assert len(MemoryServer(settings.home / "memory").firings()) == 1


_CHILD = """
import os, sys
from ftproviders import registry
from ftproviders.config import Config

registry.training_adapter("memory", Config.load()).check()
print("survived")
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_ends_the_process_and_is_written_down_first(tmp_path: Path, when: str) -> None:
    script = tmp_path / "faults.json"
    script.write_text(json.dumps([{"operation": "models", "kind": "kill", "when": when}]))
    environ = {
        **os.environ,
        "FTPROVIDERS_HOME": str(tmp_path / "home"),
        "FTPROVIDERS_MEMORY_FAULTS": str(script),
        "FTPROVIDERS_CONFIG": str(tmp_path / "config.toml"),
    }

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _CHILD]
        return subprocess.run(command, env=environ, capture_output=True, text=True)

    first = run()
    assert first.returncode == -signal.SIGKILL, first.stderr
    second = run()
    assert second.stdout == "survived\n", second.stderr
    server = MemoryServer(tmp_path / "home" / "memory")
    assert [firing.fault.kind for firing in server.firings()] == [FaultKind.KILL]
    assert [r.outcome for r in server.requests("models")] == [f"{when}: kill", "ok"]


def test_a_script_goes_when_the_setting_changes_or_is_unset(tmp_path: Path) -> None:
    def ask(faults: str | None) -> bool:
        settings = MemorySettings(home=tmp_path, cache=tmp_path, faults=faults)
        adapter = MemoryAdapter(settings)
        try:
            adapter.jobs()
        except ProviderError:
            return False
        return True

    forever = '[{"operation": "jobs", "kind": "forbidden", "times": null}]'
    assert not ask(forever)
    assert not ask(forever)
    assert ask('[{"operation": "create", "kind": "reset"}]')
    assert not ask(forever)
    assert ask(None)


def test_faults_put_in_by_hand_stay_when_the_setting_is_unset(tmp_path: Path) -> None:
    server = MemoryServer(tmp_path / "memory", faults=[Fault("jobs", kind="forbidden")])
    with pytest.raises(PermissionDeniedError):
        MemoryAdapter(MemorySettings(home=tmp_path, cache=tmp_path)).jobs()
    assert len(server.firings()) == 1


def test_faults_name_requests_that_the_server_has() -> None:
    assert set(OPERATIONS) == REQUESTS
    with pytest.raises(ConfigurationError, match="the server has no such request"):
        load_faults('[{"operation": "creat", "kind": "reset"}]')
