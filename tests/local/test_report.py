"""A page about a real job: what the worker wrote down is what the page shows."""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path

import pytest

import ftproviders as ft
from tests.local.conftest import ANSWERS, chat


@pytest.fixture
def job(base: Path, tmp_path: Path) -> ft.FineTuneJob:
    """A job that has succeeded, with a validation file."""
    rows = [json.dumps(chat(question, answer)) for question, answer in ANSWERS.items()]
    (tmp_path / "train <b>.jsonl").write_text("\n".join(rows * 3) + "\n")
    (tmp_path / "valid.jsonl").write_text("\n".join(rows[:2]) + "\n")
    client = ft.FineTuneClient()
    found = client.submit(
        ft.JobSpec(
            provider="local",
            base_model=str(base),
            training_file=str(tmp_path / "train <b>.jsonl"),
            validation_file=str(tmp_path / "valid.jsonl"),
            hyperparameters=ft.Hyperparameters(n_epochs=2, batch_size=4, warmup_ratio=0.25),
            options={"local": {"dtype": "fp32"}},
        )
    )
    found.wait(timeout_seconds=240)
    return found


def words_of(page: str) -> str:
    """Return what a reader sees of a page, on one line."""
    body = page.partition("</style>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_page_of_a_local_job(job: ft.FineTuneJob, base: Path, tmp_path: Path) -> None:
    told: list[str] = []
    file = job.report(tmp_path / "page.html", max_tokens=8, on_progress=told.append)
    page = file.read_text(encoding="utf-8")
    words = words_of(page)

    digest = hashlib.sha256((tmp_path / "train <b>.jsonl").read_bytes()).hexdigest()
    assert f"training train <b>.jsonl 12 1,{str(file_size(tmp_path))[-3:]} {digest}" in words
    for expected in (
        "n_epochs 2 you",
        "warmup_ratio 0.25 you",
        "seed 42 the provider's default",
        "loss (nats per token)",
        "validation (validation_loss)",
        "transformers ",
        "dtype float32",
        "cores ",
        "Chat template that the training used",
        "The seed was 42, the provider's default",
        "ftproviders submit job.yaml --again",
        "All 2 rows of valid.jsonl were asked",
        "Training succeeded.",
    ):
        assert expected in words, expected
    assert "<script" not in page
    assert "train <b>" not in page
    assert told.count("asking the base model, question 2 of 2") == 1
    assert words.count("before (base model)") == words.count("after (tuned model)") == 2
    before = [html.unescape(p) for p in re.findall(r'class="said" dir="auto">([^<]*)', page)]
    first = next(iter(ANSWERS))
    assert first in before
    reply = job.chat(first, temperature=0, max_tokens=8)
    assert reply.text.strip() in " ".join(before)
    check_curve(page, [e.metrics["train_loss"] for e in job.metrics() if "train_loss" in e.metrics])


def file_size(folder: Path) -> int:
    return (folder / "train <b>.jsonl").stat().st_size


def check_curve(page: str, losses: list[float]) -> None:
    """Hold the dots of the training loss against what was logged."""
    wide = page.partition('class="chart wide"')[2].partition("</svg>")[0]
    training = wide.partition('class="curve c0"')[2].partition("</g>")[0]
    heights = [float(down) for down in re.findall(r'cy="([\d.]+)"', training)]

    assert len(losses) == len(heights) == 6
    lowest, highest = losses.index(min(losses)), losses.index(max(losses))
    assert heights[lowest] == max(heights)
    assert heights[highest] == min(heights)
    span = (heights[lowest] - heights[highest]) / (losses[highest] - losses[lowest])
    for loss, height in zip(losses, heights, strict=True):
        assert height == pytest.approx(heights[highest] + (losses[highest] - loss) * span, abs=0.05)
