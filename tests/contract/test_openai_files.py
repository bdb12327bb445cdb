"""`files` over the real SDK: what is listed, and which files of an account are ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.azure_world import AzureWorld
from tests.contract.openai_world import OpenAIWorld


@pytest.fixture(params=[OpenAIWorld, AzureWorld], ids=["openai", "azure-openai"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenAIWorld]:
    made: OpenAIWorld = request.param(tmp_path, lying_filter=True, page_size=2)
    yield made
    made.close()


def test_only_our_unused_training_data_goes(world: OpenAIWorld) -> None:
    client = world.client(file_expires_after_seconds=1209600)
    other = world.folder / "theirs.jsonl"
    other.write_text(world.training_file.read_text())
    sdk = client._session.training(world.provider)._connection.client  # type: ignore[attr-defined] # the dialect's
    expiry = {"anchor": "created_at", "seconds": 1209600}
    foreign = [
        sdk.files.create(file=(name, other.read_bytes()), purpose="fine-tune", expires_after=expiry)
        for name in ("theirs.jsonl", "theirs.0123456789abcdef.jsonl")
    ]
    job = client.submit(world.spec())
    job.wait()
    listed = client.files(world.provider)
    # Result files are data of the service's, whatever its filter lets through.
    assert {one.file.id for one in listed if not one.ours} == {file.id for file in foreign}
    (ours,) = [one for one in listed if one.ours]
    assert (ours.jobs, ours.unused, ours.file.status) == ((job.ref,), True, "processed")
    assert ours.file.created_at is not None
    assert ours.file.expires_at is not None
    done = client.delete_unused_files(world.provider)
    assert [one.file.id for one in done.deleted] == [ours.file.id]
    assert {file["id"] for file in world.data_files()} == {file.id for file in foreign}


def test_the_file_of_a_running_job_stays(world: OpenAIWorld) -> None:
    client = world.client()
    job = client.submit(world.spec())
    done = client.delete_unused_files(world.provider)
    assert done.deleted == ()
    assert job.refresh().training_files == tuple(file["id"] for file in world.data_files())
