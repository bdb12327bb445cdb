"""Files over the real SDK: in parts, tried again, used again, waited for, fetched."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import httpx2
import pytest
from typing_extensions import override

from ftproviders.adapters.openai.adapter import OpenAIAdapter
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.errors import (
    AuthenticationError,
    InvalidRequestError,
    ProviderConnectionError,
)
from ftproviders.schema.dataset import Dataset
from ftproviders.schema.job import FileRef
from ftproviders.testing.checks import as_runtime
from tests.contract.openai_world import Make, over


def test_a_download_that_breaks_off_begins_anew(make: Make, tmp_path: Path) -> None:
    world = make()
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    (file_id,) = job.snapshot.training_files
    adapter, target = OpenAIAdapter(world.settings()), tmp_path / "back.jsonl"
    world.inject("downloadFile", "truncated", when="after")

    def download() -> FileRef:
        return adapter.download_file(file_id, target=target)

    with pytest.raises(ProviderConnectionError, match="download_file failed") as caught:
        as_runtime(adapter, "download_file", download)
    assert caught.value.retryable
    assert download().bytes == target.stat().st_size
    assert target.read_bytes() == world.training_file.read_bytes()
    adapter.close()


def test_a_refused_download_is_a_definite_answer(make: Make, tmp_path: Path) -> None:
    world = make(hands_out_data=False)
    client = world.client()
    job = client.submit(client.plan(world.spec()))
    (file_id,) = job.snapshot.training_files
    adapter = OpenAIAdapter(world.settings())
    with pytest.raises(InvalidRequestError, match="Not allowed to download") as caught:
        as_runtime(
            adapter,
            "download_file",
            lambda: adapter.download_file(file_id, target=tmp_path / "none.jsonl"),
        )
    assert not caught.value.retryable
    adapter.close()


IN_PARTS = {"plain_upload_bytes": 1000, "part_bytes": 500}
PARTS = 3
"""The file of the tests in parts of 500 bytes."""


def test_a_large_file_goes_up_in_parts(make: Make) -> None:
    world = make()
    job = world.client(**IN_PARTS).submit(world.client(**IN_PARTS).plan(world.spec()))
    (file,) = world.data_files()
    assert file["bytes"] == world.training_file.stat().st_size
    assert world.sent("addUploadPart") == PARTS
    assert world.sent("createFile") == 0
    assert job.snapshot.training_files == (file["id"],)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["reset", "server_error", "rate_limit", "timeout", "malformed"])
def test_each_part_is_tried_again_by_itself(make: Make, kind: str, when: str) -> None:
    world = make()
    for nth in (1, 3):
        world.inject("addUploadPart", kind, when=when, nth=nth, seconds=0.1)
    client = world.client(**IN_PARTS, timeout_seconds=0.5)
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1
    assert world.sent("createUpload") == 1
    assert world.sent("addUploadPart") == PARTS + 2
    assert len(world.server.jobs()) == 1


def test_every_part_has_tries_of_its_own(make: Make) -> None:
    world = make()
    # Three faults at each part: more in all than the tries of one request.
    for place in range(PARTS):
        world.inject("addUploadPart", "unavailable", nth=1 + place, times=3)
    client = world.client(**IN_PARTS)
    client.submit(client.plan(world.spec()))
    assert world.sent("addUploadPart") == 4 * PARTS
    assert len(world.data_files()) == 1


def test_a_lost_answer_at_the_end_leaves_one_file(make: Make) -> None:
    world = make()
    world.inject("completeUpload", "reset", when="after")
    client = world.client(**IN_PARTS)
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1
    assert world.sent("completeUpload") == 1
    assert world.sent("cancelUpload") == 0


def test_an_upload_that_is_given_up_is_cancelled(make: Make) -> None:
    world = make()
    world.inject("addUploadPart", "unauthorized", nth=2)
    client = world.client(**IN_PARTS)
    with pytest.raises(AuthenticationError):
        client.submit(client.plan(world.spec()))
    assert world.sent("cancelUpload") == 1
    assert world.data_files() == []
    client.submit(client.plan(world.spec()))
    assert len(world.data_files()) == 1


def test_a_file_is_waited_for_until_it_is_processed(make: Make) -> None:
    world = make(processing_seconds=42.0)
    client = world.client()
    told: list[str] = []
    client.submit(client.plan(world.spec()), on_progress=told.append)
    assert sum(world.clock.slept) >= 42
    assert any("has processed" in text for text in told)
    assert len(world.server.jobs()) == 1


def test_a_file_that_is_not_ready_after_all_is_waited_for(make: Make) -> None:
    world = make()
    # The server's clock is ahead for one request: it says processed, and later it is not.
    world.inject("createFile", "clock_skew", seconds=3.0)
    client = world.client()
    client.submit(client.plan(world.spec()))
    assert len(world.server.jobs()) == 1


def test_files_are_used_again_by_name_and_bytes(make: Make) -> None:
    world = make()
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    client.submit(client.plan(world.spec(suffix="two")))
    (file,) = world.data_files()
    assert world.sent("createFile") == 1
    digest = hashlib.sha256(world.training_file.read_bytes()).hexdigest()
    assert file["filename"] == f"train.{digest[:16]}.jsonl"


def test_a_file_whose_status_is_a_new_word_is_used_again(make: Make) -> None:
    world = make()
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    world.inject("listFiles", "unknown_status", word="indexed")
    client.submit(client.plan(world.spec(suffix="two")))
    assert len(world.data_files()) == 1


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_the_list_does_not_show_yet_is_asked_for_by_its_id(
    make: Make, gone: bool
) -> None:
    world = make()
    world.inject("createFile", "list_lag", seconds=3600.0)
    client = world.client()
    client.submit(client.plan(world.spec(suffix="one")))
    if gone:
        world.inject("retrieveFile", "not_found")
    client.submit(client.plan(world.spec(suffix="two")))
    assert len(world.data_files()) == (2 if gone else 1)


def test_a_file_that_ends_soon_is_sent_again(make: Make) -> None:
    world = make()
    client = world.client(file_expires_after_seconds=3600)
    client.submit(client.plan(world.spec(suffix="one")))
    lasting = world.client()
    lasting.submit(lasting.plan(world.spec(suffix="two")))
    lasting.submit(lasting.plan(world.spec(suffix="three")))
    assert len(world.data_files()) == 2


class Counting(httpx2.BaseTransport):
    """Takes an upload piece by piece and keeps none of it."""

    def __init__(self) -> None:
        self.taken = 0

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.SyncByteStream)
        self.taken += sum(len(piece) for piece in request.stream)
        file = {"id": "file-1", "status": "processed"}
        return httpx2.Response(200, json={**file, "file": file})


@pytest.mark.parametrize("sizes", [{}, {"plain_upload_bytes": 1, "part_bytes": 24 * 1024**2}])
def test_memory_stays_flat_while_a_file_is_sent(tmp_path: Path, sizes: dict[str, int]) -> None:
    size = 64 * 1024**2
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.truncate(size)
    transport = Counting()
    adapter = OpenAIAdapter(OpenAISettings.model_validate(sizes), client=over(transport))
    dataset = Dataset(path=path, sha256="0" * 64, bytes=size, rows=1)
    prepared = adapter.prepare(dataset, purpose="training", folder=tmp_path)
    tracemalloc.start()
    ref = adapter.upload(prepared, purpose="training", submission_id="ft")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert transport.taken > size
    assert ref.bytes == size
    assert peak < 4 * 1024**2, f"{peak:,} bytes for a file of {size:,}"
