"""Whose a file at the provider is, who needs it, and what `delete_unused_files` never touches."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from ftproviders.errors import OutcomeUnknownError, ProviderUnavailableError
from ftproviders.runtime.lock import submission_lock
from ftproviders.schema.file import KeptFile
from ftproviders.testing.memory.faults import InjectedCrash
from tests.runtime.conftest import World

FOREIGN = "theirs.0123456789abcdef.jsonl"


def upload_by_others(world: World, name: str) -> str:
    body = {"name": name, "purpose": "training", "content": base64.b64encode(b"{}\n").decode()}
    world.server.request("upload", body)
    return newest(world)


def newest(world: World) -> str:
    return world.client(home="onlooker").files("memory")[0].file.id


def there(world: World) -> set[str]:
    return {one.file.id for one in world.client(home="onlooker").files("memory")}


def test_a_file_is_needed_until_its_job_has_ended(world: World) -> None:
    client = world.client()
    job = client.submit(world.spec())
    (kept,) = client.files("memory")
    assert kept.ours
    assert kept.jobs == (job.ref,)
    assert str(job.ref) in kept.needed
    assert client.delete_unused_files("memory").deleted == ()
    job.wait()
    (kept,) = client.files("memory")
    assert (kept.unused, kept.needed) == (True, "")
    done = client.delete_unused_files("memory")
    assert [one.file.id for one in done.deleted] == [kept.file.id]
    assert there(world) == set()
    # Deleting took nothing from the job.
    assert client.job(job.ref).model is not None


def test_a_file_of_others_is_listed_and_never_deleted(world: World) -> None:
    theirs = {upload_by_others(world, "theirs.jsonl"), upload_by_others(world, FOREIGN)}
    client = world.client()
    reasons = {one.file.name: one.needed for one in client.files("memory")}
    assert reasons["theirs.jsonl"] == "not sent by ftproviders"
    assert "somebody else's" in reasons[FOREIGN]
    assert not any(one.ours for one in client.files("memory"))
    assert client.delete_unused_files("memory").deleted == ()
    assert there(world) == theirs


def test_a_file_that_a_colleague_sent_with_ftproviders_is_theirs(world: World) -> None:
    world.client(home="colleague").submit(world.spec()).wait()
    (kept,) = world.client().files("memory")
    assert (kept.ours, kept.unused) == (False, False)
    assert world.client().delete_unused_files("memory").deleted == ()


def test_our_file_in_a_job_of_others_is_needed(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()
    (kept,) = client.files("memory")
    body = {"model": "memory-small", "method": "supervised", "training_file": kept.file.id}
    world.server.request("create", body)
    (kept,) = client.files("memory")
    assert len(kept.jobs) == 2
    assert "job-0002" in kept.needed
    assert client.delete_unused_files("memory").deleted == ()


def test_a_job_that_no_list_shows_yet_needs_its_file(world: World) -> None:
    client = world.client()
    world.inject("create", "list_lag", seconds=3600)
    job = client.submit(world.spec())
    assert list(client.remote_jobs("memory")) == []
    (kept,) = client.files("memory")
    assert str(job.ref) in kept.needed


def test_an_unknown_outcome_needs_its_file(world: World) -> None:
    client = world.client()
    world.inject("create", "list_lag", seconds=3600)
    world.inject("create", "reset", when="after")
    with pytest.raises(OutcomeUnknownError):
        client.submit(world.spec())
    (kept,) = client.files("memory")
    assert "reconcile" in kept.needed
    assert client.delete_unused_files("memory").deleted == ()


def test_a_submission_under_way_needs_every_file(world: World) -> None:
    client = world.client()
    world.inject("upload", "crash", when="after")
    with pytest.raises(InjectedCrash):
        client.submit(world.spec())
    (kept,) = client.files("memory")
    # The answer was lost; that it is ours is known by its name and the intent to send it.
    assert (kept.ours, kept.unused) == (True, True)
    (row,) = client._session.journal.unsettled("memory", account="default")
    with submission_lock(client.config, row.series_id, on_progress=lambda _text: None):
        (kept,) = client.files("memory")
        assert "under way" in kept.needed
        assert client.delete_unused_files("memory").deleted == ()
    assert len(client.delete_unused_files("memory").deleted) == 1


def test_what_is_needed_after_the_agreement_is_spared(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()

    def agree(unused: Sequence[KeptFile]) -> None:
        assert len(unused) == 1
        world.client(home="colleague").submit(world.spec(suffix="meanwhile"))

    done = client.delete_unused_files("memory", agree=agree)
    assert done.deleted == ()
    assert "job-0002" in done.spared[0].needed
    assert there(world) == {done.spared[0].file.id}


def test_a_file_that_is_gone_meanwhile_is_no_error(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()

    def agree(unused: Sequence[KeptFile]) -> None:
        world.server.request("delete_file", {"id": unused[0].file.id})

    done = client.delete_unused_files("memory", agree=agree)
    assert (len(done.deleted), done.problems) == (1, ())


def test_a_lost_answer_to_the_deletion_is_no_error(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()
    world.inject("delete_file", "reset", when="after")
    done = client.delete_unused_files("memory")
    assert (len(done.deleted), done.problems) == (1, ())


def test_jobs_that_cannot_be_listed_delete_nothing(world: World) -> None:
    client = world.client()
    client.submit(world.spec()).wait()
    world.inject("jobs", "unavailable", times=None)
    with pytest.raises(ProviderUnavailableError):
        client.delete_unused_files("memory")
    assert world.sent("delete_file") == 0
