"""Packages that a training does without are not loaded by the libraries that it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftproviders.worker.unused import unused

ALL = {"bitsandbytes", "datasets", "deepspeed"}


def job(*, method: str = "supervised", **settings: Any) -> Any:
    stated = {"tuning": "lora", "parallel": "none"} | settings
    return {"method": method, "settings": stated}


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({}, set()),
        ({"tuning": "full"}, set()),
        ({"tuning": "qlora"}, {"bitsandbytes"}),
        ({"parallel": "zero3"}, {"deepspeed"}),
        ({"parallel": "ddp"}, set()),
        ({"method": "dpo"}, {"datasets"}),
    ],
)
def test_only_what_the_settings_use_is_loaded(given: dict[str, Any], needed: set[str]) -> None:
    assert unused(job(**given)) == ALL - needed


def test_hidden_packages_look_as_if_they_were_not_installed(tmp_path: Path) -> None:
    (tmp_path / "deepspeed.py").write_text("raise SystemExit('loaded')", encoding="utf-8")
    program = (
        "import importlib.util, json, sys\n"
        "from ftproviders.worker.unused import hide_unused\n"
        "hide_unused(json.loads(sys.argv[1]))\n"
        "assert importlib.util.find_spec('deepspeed') is None\n"
        "try:\n"
        "    import deepspeed\n"
        "except ModuleNotFoundError:\n"
        "    print('not there')\n"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(job())],
        env={"PYTHONPATH": f"{tmp_path}:{root}"},
        capture_output=True,
        text=True,
    )

    assert ended.stdout == "not there\n", ended.stderr
