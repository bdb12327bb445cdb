"""Job files: what is read, what is refused on which line, and what wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftproviders.cli.jobfile import read_job_file
from ftproviders.errors import ConfigurationError
from tests.cli.program import Run


def written(folder: Path, text: str, name: str = "job.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_job_file(file)
    return str(caught.value).replace(str(file), file.name)


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    values = {
        "provider": "memory",
        "base_model": "memory-small",
        "training_file": "train.jsonl",
        "hyperparameters": {"n_epochs": 2, "learning_rate_multiplier": 0.5},
        "suffix": "mine",
    }
    as_json = written(tmp_path, json.dumps(values, indent="\t"), "job.json")
    as_yaml = written(
        tmp_path,
        "provider: memory\nbase_model: memory-small\ntraining_file: train.jsonl\n"
        "hyperparameters:\n  n_epochs: 2\n  learning_rate_multiplier: 5e-1\nsuffix: mine\n",
    )
    assert read_job_file(as_json).values == read_job_file(as_yaml).values
    assert read_job_file(as_json).lines[("hyperparameters", "n_epochs")] == 6


def test_numbers_and_dates_are_what_they_look_like(tmp_path: Path) -> None:
    text = "hyperparameters: {learning_rate: 1e-4, beta: -.5E+3}\nsuffix: 2026-01-31\n"
    values = read_job_file(written(tmp_path, text)).values
    assert values["hyperparameters"] == {"learning_rate": 1e-4, "beta": -500.0}
    assert values["suffix"] == "2026-01-31"


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path: Path) -> None:
    text = "training_file: data/a.jsonl\nvalidation_file: /somewhere/b.jsonl\n"
    values = read_job_file(written(tmp_path, text)).values
    assert values["training_file"] == str(tmp_path / "data" / "a.jsonl")
    assert values["validation_file"] == "/somewhere/b.jsonl"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("provider: memory\ntraning_file: a\n", "job.yaml:2: there is no setting 'traning_file'"),
        ("provider: memory\ntraning_file: a\n", "Did you mean 'training_file'?"),
        ("hyperparameters:\n  n_epoch: 3\n", "job.yaml:2: there is no setting 'hyperparameters.n"),
        ("n_epochs: 3\n", "Put n_epochs under `hyperparameters:`."),
        ("suffix: a\nprovider: b\nsuffix: c\n", "job.yaml:3: suffix stands there already, on line"),
        ("a: [1, 2\nb: 3\n", "job.yaml:2:2: not valid YAML"),
        ("a:\tb: c\n", "not valid YAML"),
        ("- provider\n- model\n", "holds a list, not a mapping"),
        ("just words\n", "holds a str, not a mapping"),
        ("provider: a\n---\nprovider: b\n", "not valid YAML"),
        ("provider: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("provider: \x00\n", "not valid YAML"),
        ("a: " + "[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n "provider": "memory",\n "modle": "x"\n}', "job.json:3: there is no setting 'modle'"),
        ('{"provider": "memory",}', "job.json:1:23: not valid JSON"),
        ('{"suffix": "a",\n "suffix": "b"}', "job.json:2: suffix stands there already"),
        ("[1]", "holds a list"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(written(tmp_path, text, "job.json"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("suffix: caf\u00e9".encode("latin-1"))
    assert "is not UTF-8 text (byte 12)" in refusal(tmp_path / "latin.yaml")
    (tmp_path / "long.yaml").write_text("#" * 1_000_001, encoding="utf-8")
    assert "too long for a job file" in refusal(tmp_path / "long.yaml")
    assert "No such file" in refusal(tmp_path / "nowhere.yaml")
    assert "is a data file" in refusal(tmp_path / "rows.jsonl")


def test_a_byte_order_mark_and_an_empty_file_are_fine(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfsuffix: a\n")
    assert read_job_file(tmp_path / "bom.yaml").values == {"suffix": "a"}
    assert read_job_file(written(tmp_path, "# nothing yet\n")).values == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hyperparameters: {n_epochs: many}", "job.yaml:4: hyperparameters.n_epochs:"),
        ("hyperparameters: 3", "job.yaml:4: hyperparameters:"),
        ("suffix: [a]", "job.yaml:4: suffix:"),
        ("seed: -3", "job.yaml:4: seed:"),
        ("method: magic", "job.yaml:4: method:"),
        ("options: {memory: fast}", "job.yaml:4: options.memory"),
    ],
)
def test_a_value_that_does_not_fit_names_its_line(
    run: Run, folder: Path, line: str, words: str
) -> None:
    head = "provider: memory\nbase_model: memory-small\ntraining_file: train.jsonl\n"
    written(folder, head + line + "\n")
    result = run("plan", "job.yaml")
    assert result.code == 2
    assert words in result.err


def test_flags_win_over_the_file_and_the_file_over_the_environment(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_PROVIDER", "nowhere")
    assert run("plan", "job.yaml", "--json").json["resolved"]["n_epochs"] == 2
    flagged = run("plan", "job.yaml", "--epochs", "7", "--model", "memory-large", "--json").json
    assert flagged["resolved"]["n_epochs"] == 7
    assert flagged["base_model"] == "memory-large"
    auto = run("plan", "job.yaml", "--epochs", "auto", "--json").json
    assert auto["resolved"]["n_epochs"] == "auto"
    monkeypatch.setenv("FTPROVIDERS_PROVIDER", "memory")
    alone = run("plan", "--model", "memory-small", "--training-file", "train.jsonl", "--json")
    assert alone.json["provider"] == "memory"


def test_the_file_means_the_same_from_another_folder(
    run: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    here = run("plan", "job.yaml", "--json").json
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    there = run("plan", str(folder / "job.yaml"), "--json").json
    assert there["submission_id"] == here["submission_id"]
    flagged = run("plan", str(folder / "job.yaml"), "--training-file", "train.jsonl")
    assert flagged.code == 2


def test_an_option_is_the_same_from_flag_and_file(run: Run, folder: Path) -> None:
    flagged = run("plan", "job.yaml", "-o", "walk=running,failed", "-o", "priority=high", "--json")
    text = (folder / "job.yaml").read_text(encoding="utf-8")
    written(folder, text + "options: {memory: {priority: high, walk: [running, failed]}}\n")
    assert run("plan", "job.yaml", "--json").json["submission_id"] == flagged.json["submission_id"]
    other = run("plan", "job.yaml", "-o", "priority=normal", "--json").json
    assert other["options"] == {"priority": "normal", "walk": ["running", "failed"]}


def test_one_file_for_several_providers(run: Run, folder: Path) -> None:
    written(
        folder,
        "base_model: {memory: memory-small, local: smollm2-135m}\ntraining_file: train.jsonl\n"
        "suffix:\n",
    )
    plan = run("plan", "job.yaml", "--provider", "memory", "--json").json
    assert plan["base_model"] == "memory-small"


def test_the_methods_other_name_is_taken(run: Run) -> None:
    assert run("plan", "job.yaml", "--method", "sft", "--json").json["method"] == "supervised"
