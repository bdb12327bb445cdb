"""The emulator as a program of its own, its control path, and state that outlives it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from ftproviders.testing import FakeClock
from ftproviders.testing.__main__ import main
from ftproviders.testing.openai import OpenAIEmulator
from tests.emulators.calls import JOB_SECONDS, make_client, send, start_job, upload
from tests.emulators.planting import modes


@contextlib.contextmanager
def program(*arguments: str) -> Iterator[tuple[str, str]]:
    """Run the emulator as a person would; give its base URL and key."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ftproviders.testing", "openai", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    said = ""
    try:
        while "Control path" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            said += line
        url, key = (
            re.findall(rf"export {name}=(\S+)", said)[0]
            for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY")
        )
        yield url, key
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")


def control(url: str, key: str, method: str, name: str, body: Any = None) -> dict[str, Any]:
    answer = httpx2.request(
        method,
        f"{url.removesuffix('/v1')}/_emulator/{name}",
        headers={"Authorization": f"Bearer {key}"},
        json=body,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_rehearsal_from_another_process(tmp_path: Path, rows: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text(json.dumps([{"operation": "GET /models", "kind": "unavailable"}]))
    with program("--job-seconds", "100", "--faults", str(script)) as (url, key):
        client = openai.OpenAI(
            base_url=url,
            api_key=key,
            max_retries=0,
            http_client=openai.DefaultHttpx2Client(trust_env=False),
        )
        with client:
            with pytest.raises(openai.InternalServerError):
                client.models.list()
            control(url, key, "POST", "faults", [{"operation": "*", "kind": "conflict"}])
            with pytest.raises(openai.ConflictError):
                client.models.list()
            control(url, key, "POST", "failure", {"code": "moderation", "stage": "moderation"})
            job = start_job(client, rows)
            control(url, key, "POST", "status", {"job": job.id, "status": "dreaming"})
            assert client.fine_tuning.jobs.retrieve(job.id).status == "dreaming"
            control(url, key, "POST", "status", {"job": job.id, "status": None})
            control(url, key, "POST", "clock", {"advance_seconds": 100})
            assert client.fine_tuning.jobs.retrieve(job.id).status == "failed"
        requests = control(url, key, "GET", "requests")["data"]
        assert [r["operation"] for r in requests][:3] == ["listModels", "listModels", "createFile"]
        assert len(control(url, key, "GET", "firings")["data"]) == 2
        assert [j["status"] for j in control(url, key, "GET", "jobs")["data"]] == ["failed"]
        assert [f["filename"] for f in control(url, key, "GET", "files")["data"]] == ["train.jsonl"]
        assert control(url, key, "DELETE", "faults") == {"cleared": True}


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "Invalid JSON"), ('[{"operation": "*", "kind": "x"}]', "kind"), (None, "No such file")],
)
def test_a_wrong_script_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, words: str
) -> None:
    script = tmp_path / "faults.json"
    if text is not None:
        script.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        main(["openai", "--faults", str(script)])
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "faults", [{"operation": "*"}], 400),
        ("POST", "faults", {"operation": "*"}, 400),
        ("POST", "clock", {"minutes": 3}, 400),
        ("POST", "status", {"job": "ftjob-nobody", "status": "x"}, 400),
        ("POST", "failure", {"stage": "dreaming"}, 400),
    ],
)
def test_the_control_path_says_what_is_wrong(
    emulator: OpenAIEmulator, method: str, name: str, body: Any, status: int
) -> None:
    answer = send(emulator, method, f"/_emulator/{name}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert emulator.requests == []


def test_the_control_path_needs_the_key(emulator: OpenAIEmulator) -> None:
    headers = {"Authorization": "Bearer sk-another"}
    assert send(emulator, "GET", "/_emulator/requests", headers=headers).status_code == 401


def test_state_in_a_folder_outlives_the_server(tmp_path: Path, rows: Path) -> None:
    clock = FakeClock()
    with (
        OpenAIEmulator(tmp_path / "state", clock=clock) as first,
        make_client(first) as client,
    ):
        job = start_job(client, rows)
        clock.advance(JOB_SECONDS)
    with (
        OpenAIEmulator(tmp_path / "state", clock=clock) as second,
        make_client(second) as client,
    ):
        done = client.fine_tuning.jobs.retrieve(job.id)
        assert done.status == "succeeded"
        assert done.fine_tuned_model is not None
        answer = client.chat.completions.create(
            model=done.fine_tuned_model,
            messages=[{"role": "user", "content": "What is on shelf number 2?"}],
        )
        assert answer.choices[0].message.content == "answer-2"
        assert len(second.requests) == 4


def test_what_is_kept_in_a_folder_is_for_its_owner_alone(tmp_path: Path, rows: Path) -> None:
    folder = tmp_path / "state"
    with OpenAIEmulator(folder) as emulator, make_client(emulator) as client:
        job = start_job(client, rows)
        emulator.advance(JOB_SECONDS)
        assert client.fine_tuning.jobs.retrieve(job.id).result_files
        assert modes(folder) == {}


def test_two_rehearsals_have_no_id_in_common(rows: Path) -> None:
    ids = []
    for _ in range(2):
        http = openai.DefaultHttpx2Client(trust_env=False)
        with (
            program() as (url, key),
            openai.OpenAI(base_url=url, api_key=key, http_client=http) as client,
        ):
            ids.append(upload(client, rows).id)
    assert ids[0] != ids[1]


def test_a_server_that_was_down_comes_back_at_its_address(
    emulator: OpenAIEmulator, client: openai.OpenAI
) -> None:
    url = emulator.base_url
    emulator.stop()
    with pytest.raises(openai.APIConnectionError):
        client.models.list()
    emulator.start()
    assert emulator.base_url == url
    assert client.models.list().data


def test_polling_alone_can_move_the_clock(rows: Path) -> None:
    with (
        OpenAIEmulator(clock=FakeClock(), tick_seconds=40) as emulator,
        make_client(emulator) as client,
    ):
        job = start_job(client, rows)
        words = [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(5)]
    assert words == ["running", "running", "running", "succeeded", "succeeded"]
