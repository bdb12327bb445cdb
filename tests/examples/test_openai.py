"""The guides for OpenAI, each as a program of its own, against the emulator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ftproviders.testing import FakeClock
from ftproviders.testing.openai import OpenAIEmulator
from tests.examples.statements import logical_lines, statements

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODEL = "gpt-4.1-mini-2025-04-14"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIEmulator]:
    """An emulator whose time goes on with each request; programs find it by the environment."""
    with OpenAIEmulator(clock=FakeClock(), tick_seconds=5) as emulator:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FTPROVIDERS_POLL_SECONDS", "0.01")
        yield emulator


def start(script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in `folder` as a person would."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def run(script: Path, folder: Path) -> list[str]:
    """Run a script that must go well, and return the lines that it printed."""
    done = start(script, folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.splitlines()


def bodies(server: OpenAIEmulator, operation: str) -> list[Mapping[str, object]]:
    return [r.body for r in server.requests if r.operation == operation]


def steps(printed: list[str]) -> list[str]:
    return [line.split(":")[0] for line in printed if line.startswith("Step ")]


def test_recipes_are_tuned_watched_and_asked(server: OpenAIEmulator, tmp_path: Path) -> None:
    printed = run(EXAMPLES / "recipes.py", tmp_path)

    assert printed[0].startswith("101 rows; cost: ")
    assert steps(printed) == [f"Step {step}/303" for step in range(1, 304)]
    assert printed.count("The job has successfully completed") == 1
    best = re.compile(r"validation loss: \d\.\d+ at step (101|202|303) at best, \d\.\d+ at last")
    assert any(best.fullmatch(line) for line in printed)
    tuned = f"ft:{MODEL}:emulated:recipe-ner:"
    assert printed[-1].startswith(f"by {tuned}")
    answer = printed[-2].removeprefix("Generic ingredients: ")
    learned = [
        json.loads(line)["messages"][-1]["content"]
        for line in (tmp_path / "recipes.train.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(learned) == 101
    assert answer in learned
    (asked,) = bodies(server, "createChatCompletion")
    assert str(asked["model"]).startswith(tuned)
    assert (asked["temperature"], asked["max_tokens"]) == (0, 500)


def test_recipes_again_find_the_same_rows_and_the_same_job(
    server: OpenAIEmulator, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        run(EXAMPLES / "recipes.py", folder)

    files = sorted(path.name for path in first.iterdir())
    assert files == [f"recipes.{part}.jsonl" for part in ("test", "train", "validation")]
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert len(server.jobs()) == 1
    assert len(bodies(server, "createFile")) == 2


def test_elements_are_tuned_and_compared(server: OpenAIEmulator, tmp_path: Path) -> None:
    printed = run(EXAMPLES / "elements.py", tmp_path)

    assert steps(printed) == [f"Step {step}/100" for step in range(1, 101)]
    base, tuned = printed[-2:]
    assert base.startswith(f"{MODEL} (")
    assert "I have not been tuned" in base
    assert tuned.startswith(f"ft:{MODEL}:emulated::")
    assert tuned.count(" - ") == 4, "a limerick on one line"
    (job,) = server.jobs()
    assert job["validation_file"] is None
    assert "suffix" not in bodies(server, "createFineTuningJob")[0]
    rows = (EXAMPLES / "data" / "elements" / "train.jsonl").read_text("utf-8").splitlines()
    systems = {json.loads(row)["messages"][0]["content"] for row in rows}
    asked = [body["messages"] for body in bodies(server, "createChatCompletion")]
    assert len(rows) == 10
    assert {m[0]["content"] for m in asked if isinstance(m, list)} == systems
    assert len(systems) == 1


def test_broken_rows_are_refused_before_any_request(server: OpenAIEmulator, tmp_path: Path) -> None:
    """The lesson's first run: a row over two lines, and one in single quotes."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    file = tmp_path / "examples" / "data" / "elements" / "train.jsonl"
    rows = file.read_text("utf-8").splitlines()
    rows[2] = rows[2].replace('"messages": ', '"messages":\n', 1)
    rows[5] = rows[5].replace('"', "'")
    file.write_text("\n".join(rows) + "\n", "utf-8")

    done = start(tmp_path / "examples" / "elements.py", tmp_path)

    assert done.returncode == 1
    assert "DatasetError" in done.stderr
    assert "train.jsonl" in done.stderr
    assert [request.operation for request in server.requests] == []


@pytest.mark.slow
def test_one_spec_runs_on_both_and_says_what_each_takes(
    server: OpenAIEmulator, tmp_path: Path
) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.contract.tiny_model", str(tmp_path / "tiny"), "1024"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        timeout=240,
        check=True,
    )
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    file = tmp_path / "examples" / "one_spec.yaml"
    file.write_text(file.read_text("utf-8").replace("smollm2-135m", str(tmp_path / "tiny")))

    printed = run(tmp_path / "examples" / "one_spec.py", tmp_path)

    at = printed.index(next(line for line in printed if line.startswith("openai: ")))
    here, there = printed[:at], printed[at:]
    assert "  taken    learning_rate = 0.0002" in here
    assert "  mapped   lr_scheduler_type = cosine -> hyperparameter lr_scheduler" in here
    assert any(line.startswith("  ignored  learning_rate_multiplier = 1.5: ") for line in here)
    assert any(line.startswith("  ignored  group_by_length = True: ") for line in here)
    assert "  taken    learning_rate_multiplier = 1.5" in there
    assert any(line.startswith("  ignored  learning_rate = 0.0002: ") for line in there)
    assert any(line.startswith("  ignored  lora_r = 8: ") for line in there)
    assert [line for line in printed if line.startswith("local:ft")]
    assert printed[-1].startswith("openai:127.0.0.1:")
    assert re.search(r": \[[A-Z]+/\w+\] ", printed[-1])
    (body,) = bodies(server, "createFineTuningJob")
    knobs = {"n_epochs": 2, "batch_size": 8, "learning_rate_multiplier": 1.5}
    assert body["method"] == {"type": "supervised", "supervised": {"hyperparameters": knobs}}


@pytest.mark.parametrize(("name", "most"), [("recipes.py", 12), ("elements.py", 6)])
def test_guides_are_short(name: str, most: int) -> None:
    assert logical_lines(EXAMPLES / name) <= most


def test_statements_are_counted_wherever_they_stand() -> None:
    source = '"""Free."""\nimport os\n# free\nif os:\n    a = 1; b = (\n        2,\n    )\n'

    assert statements(source) == 3
    assert statements("def f():\n    '''Not free.'''\n    return 1\n") == 3


def test_recipes_are_made_by_their_script(tmp_path: Path) -> None:
    folder = EXAMPLES / "data" / "recipes"

    subprocess.run([sys.executable, str(folder / "make_recipes.py"), str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    assert {name: content.count(b"\n") - 1 for name, content in made.items()} == {
        "train.csv": 101,
        "validation.csv": 100,
        "test.csv": 10,
    }
