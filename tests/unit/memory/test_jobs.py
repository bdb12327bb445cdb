"""Jobs of the in-memory provider: walks, lists, prices, answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from ftproviders import registry
from ftproviders.config import Config
from ftproviders.errors import (
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    InvalidRequestError,
    ModelRetiredError,
    NotFoundError,
)
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.dataset import DatasetStatistics, PreparedFile
from ftproviders.schema.deployment import DeploymentSpec
from ftproviders.schema.job import Found, JobRef, JobSpec, JobStatus, NotSeen, SubmissionQuery
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.hosting import MemoryHosting
from ftproviders.testing.memory.options import MemoryOptions, MemorySettings
from ftproviders.testing.memory.refusal import MemoryServerError
from ftproviders.testing.memory.server import MemoryServer

Create = Callable[..., JobRef]


def words(adapter: MemoryAdapter, ref: JobRef, reads: int) -> list[str]:
    return [adapter.retrieve(ref).raw_status for _ in range(reads)]


def query(submission_id: str) -> SubmissionQuery:
    return SubmissionQuery(submission_id=submission_id, base_model="memory-small")


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role=Role.USER, content=text)]


def test_each_read_is_one_step(adapter: MemoryAdapter, create: Create) -> None:
    ref = create(adapter)
    assert words(adapter, ref, 5) == ["validating", "queued", "running", "succeeded", "succeeded"]


def test_other_requests_do_not_move_a_job(adapter: MemoryAdapter, create: Create) -> None:
    ref = create(adapter)
    for _ in range(3):
        adapter.jobs()
        adapter.events(ref)
        adapter.find(query("ft-one"))
    assert words(adapter, ref, 2) == ["validating", "queued"]


def test_job_walks_as_its_options_say(adapter: MemoryAdapter, create: Create) -> None:
    ref = create(adapter, walk="queued, dreaming, failed")
    assert words(adapter, ref, 4) == ["queued", "dreaming", "failed", "failed"]
    last = adapter.retrieve(ref)
    assert last.error is not None
    assert (last.error.code, last.model, last.status.terminal) == ("training_failed", None, True)


def test_walk_of_the_settings_holds_for_every_job(
    settings: MemorySettings, create: Create, tmp_path: Path
) -> None:
    environ = {"FTPROVIDERS_MEMORY_WALK": "running,succeeded"}
    config = Config(home=tmp_path, cache=tmp_path, config_file=tmp_path / "none.toml")
    adapter = registry.training_adapter("memory", config, environ=environ)
    assert isinstance(adapter, MemoryAdapter)
    assert words(adapter, create(adapter), 2) == ["running", "succeeded"]


def test_tests_can_steer_a_job(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    ref = create(adapter)
    server.set_walk(ref.id, "running", "running", "failed")
    assert words(adapter, ref, 2) == ["running", "failed"]
    with pytest.raises(KeyError):
        server.set_walk("job-9999", "running")


def test_pause_keeps_the_place(adapter: MemoryAdapter, create: Create) -> None:
    ref = create(adapter)
    assert words(adapter, ref, 3)[-1] == "running"
    assert adapter.pause(ref).resumable
    assert words(adapter, ref, 2) == ["paused", "paused"]
    assert adapter.resume(ref).status is JobStatus.RUNNING
    assert words(adapter, ref, 1) == ["succeeded"]
    with pytest.raises(InvalidRequestError, match="cannot be paused"):
        adapter.pause(ref)


def test_cancelled_job_learned_nothing(adapter: MemoryAdapter, create: Create) -> None:
    ref = create(adapter)
    assert adapter.cancel(ref).status is JobStatus.CANCELLING
    assert words(adapter, ref, 3) == ["cancelled"] * 3
    assert adapter.cancel(ref).status is JobStatus.CANCELLED
    assert adapter.checkpoints(ref) == []


def test_lag_hides_a_new_job_from_lists_only(
    adapter: MemoryAdapter, server: MemoryServer, clock: FakeClock, create: Create
) -> None:
    server.lag_seconds = 20
    ref = create(adapter)
    assert adapter.retrieve(ref).ref == ref
    assert adapter.jobs().jobs == ()
    assert isinstance(adapter.find(query("ft-one")), NotSeen)
    clock.advance(19.9)
    assert isinstance(adapter.find(query("ft-one")), NotSeen)
    clock.advance(0.1)
    assert isinstance(adapter.find(query("ft-one")), Found)


def test_first_of_two_duplicates_is_found(
    adapter: MemoryAdapter, server: MemoryServer, create: Create
) -> None:
    first, second = create(adapter), create(adapter)
    assert first != second
    answer = adapter.find(query("ft-one"))
    assert isinstance(answer, Found)
    assert answer.snapshot.ref == first
    assert len(server.jobs_of("ft-one")) == 2


def test_accounts_do_not_see_each_other(
    server: MemoryServer, settings: MemorySettings, create: Create
) -> None:
    mine = MemoryAdapter(settings, server=server)
    theirs = MemoryAdapter(settings.model_copy(update={"account": "work"}), server=server)
    ref = create(mine)
    assert (mine.account(), theirs.account()) == ("default", "work")
    assert str(create(theirs)) == "memory:work/job-0002"
    with pytest.raises(NotFoundError):
        theirs.retrieve(ref)
    assert len(mine.jobs().jobs) == 1


def test_another_folder_is_another_account(settings: MemorySettings, tmp_path: Path) -> None:
    other = MemoryAdapter(settings.model_copy(update={"folder": tmp_path / "other"}))
    assert other.account() == f"default@{tmp_path / 'other'}"
    assert other.public_account() is None


def test_server_with_a_key_refuses_others(settings: MemorySettings) -> None:
    server = MemoryServer(api_key="right")
    for key in (None, SecretStr("wrong")):
        with pytest.raises(AuthenticationError, match="FTPROVIDERS_MEMORY_API_KEY"):
            MemoryAdapter(settings.model_copy(update={"api_key": key}), server=server).check()
    right = settings.model_copy(update={"api_key": SecretStr("right")})
    assert MemoryAdapter(right, server=server).check().account == "default"
    assert "right" not in repr(server.requests())


def test_unknown_and_retired_models_are_refused(
    adapter: MemoryAdapter, prepared: PreparedFile
) -> None:
    file = adapter.upload(prepared, purpose="training", submission_id="ft-one")
    for model, error in (("memory-retired", ModelRetiredError), ("gpt-none", InvalidRequestError)):
        spec = JobSpec(provider="memory", base_model=model, training_file="unused")
        with pytest.raises(error) as caught:
            adapter.create(spec, options=MemoryOptions(), files=[file], submission_id="ft-one")
        assert caught.value.maybe_executed is False


def test_strict_server_refuses_unknown_fields(server: MemoryServer) -> None:
    with pytest.raises(MemoryServerError, match="temperature is not known"):
        server.request("create", {"temperature": 1})
    with pytest.raises(MemoryServerError, match="no operation 'dance'"):
        server.request("dance", {})
    assert [entry.outcome for entry in server.requests()] == ["invalid", "invalid"]


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({}, 0.0),
        ({"paid": True}, None),
        ({"paid": True, "usd_per_million_tokens": 8.0}, 8.0 * 1000 / 4 * 2 / 1e6),
    ],
)
def test_price_is_what_the_settings_say(
    settings: MemorySettings, changes: dict[str, object], usd: float | None
) -> None:
    adapter = MemoryAdapter(settings.model_copy(update=changes))
    assert adapter.free() is (not changes)
    spec = JobSpec.model_validate(
        {
            "provider": "memory",
            "base_model": "memory-small",
            "training_file": "unused",
            "hyperparameters": {"n_epochs": 2},
        }
    )
    answer = adapter.assess(
        spec, options=MemoryOptions(), statistics=DatasetStatistics(text_bytes=1000)
    )
    assert answer.cost is not None
    assert answer.cost.usd == usd


def test_setting_that_is_not_accepted_is_named(tmp_path: Path) -> None:
    config = Config(home=tmp_path, cache=tmp_path, config_file=tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="lag_seconds"):
        registry.training_adapter(
            "memory", config, environ={"FTPROVIDERS_MEMORY_LAG_SECONDS": "soon"}
        )


def test_loss_falls_and_events_take_time(
    adapter: MemoryAdapter, clock: FakeClock, create: Create
) -> None:
    ref = create(adapter)
    for _ in range(4):
        adapter.retrieve(ref)
        clock.advance(60)
    events = adapter.events(ref)
    losses = [event.metrics["train_loss"] for event in events if event.metrics]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert events[-1].message == "Job is succeeded."
    assert events[-1].created_at - events[0].created_at == timedelta(minutes=3)


def test_tuned_model_knows_its_file_by_heart(
    adapter: MemoryAdapter, server: MemoryServer, settings: MemorySettings, create: Create
) -> None:
    ref = create(adapter)
    words(adapter, ref, 4)
    model = adapter.retrieve(ref).model
    assert model is not None
    host = MemoryHosting(settings, server=server)
    endpoint = host.endpoint(model)
    assert host.chat(endpoint, user("is my parcel lost?")).text == "parcel-where"
    base = model.model_copy(update={"name": "memory-small"})
    assert "not been tuned" in host.chat(host.endpoint(base), user("my parcel?")).text
    checkpoint = adapter.checkpoints(ref)[0].model
    assert host.chat(host.endpoint(checkpoint), user("kettle")).text == "kettle-leak"


def test_deployment_answers_once_it_is_ready(
    adapter: MemoryAdapter, server: MemoryServer, settings: MemorySettings, create: Create
) -> None:
    ref = create(adapter)
    words(adapter, ref, 4)
    model = adapter.retrieve(ref).model
    assert model is not None
    host = MemoryHosting(settings, server=server)
    deployed = host.deploy(model, DeploymentSpec(name="support"))
    with pytest.raises(DeploymentError, match="is creating"):
        host.endpoint(deployed)
    assert host.chat(host.endpoint(deployed), user("kettle")).text == "kettle-leak"
