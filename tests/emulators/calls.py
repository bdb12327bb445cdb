"""What these tests ask an emulator for, through the real SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import openai
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob

from ftproviders.testing.openai import OpenAIEmulator

MODEL = "gpt-4.1-mini-2025-04-14"
GRADER = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}
JOB_SECONDS = 150.0


def make_client(emulator: OpenAIEmulator, **settings: Any) -> openai.OpenAI:
    """Return a client without retries, so that every fault is seen."""
    given = {"api_key": emulator.api_key, "max_retries": 0, "timeout": 20.0, **settings}
    if "http_client" not in given:
        # Loading certificates takes longer than a whole test, and plain HTTP has none.
        given["http_client"] = openai.DefaultHttpx2Client(trust_env=False, verify=False)
    return openai.OpenAI(base_url=emulator.base_url, **given)


def upload(client: openai.OpenAI, path: Path) -> FileObject:
    return client.files.create(file=path, purpose="fine-tune")


def start_job(client: openai.OpenAI, path: Path, **fields: Any) -> FineTuningJob:
    file = upload(client, path)
    return client.fine_tuning.jobs.create(model=MODEL, training_file=file.id, **fields)


def finished_job(client: openai.OpenAI, emulator: OpenAIEmulator, path: Path) -> FineTuningJob:
    job = start_job(client, path, suffix="shelves")
    emulator.advance(JOB_SECONDS)
    return client.fine_tuning.jobs.retrieve(job.id)


def send(emulator: OpenAIEmulator, method: str, path: str, **fields: Any) -> httpx2.Response:
    """Send a request that the SDK would not."""
    headers = {"Authorization": f"Bearer {emulator.api_key}", **fields.pop("headers", {})}
    return httpx2.request(
        method,
        f"{emulator.root_url}{path}",
        headers=headers,
        trust_env=False,
        verify=False,
        **fields,
    )
