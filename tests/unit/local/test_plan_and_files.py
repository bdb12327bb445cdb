"""What a plan says, which base models are taken, and the store of uploaded files."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
from pathlib import Path

import pytest

from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.hosting import LocalHostingAdapter
from ftproviders.adapters.local.options import LocalOptions
from ftproviders.errors import ConfigurationError, DeploymentError, NotFoundError
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.hyperparameters import Hyperparameters
from ftproviders.schema.job import JobSpec, ModelSource, TunedModel
from ftproviders.schema.plan import Assessment
from ftproviders.worker import hardware, process
from ftproviders.worker.basemodel import locate
from tests.unit.local.conftest import Rig


def assess(rig: Rig, options: LocalOptions | None = None, **changes: object) -> Assessment:
    spec = JobSpec.model_validate(rig.spec.model_dump() | changes)
    return rig.adapter().assess(
        spec, options=options or LocalOptions(), statistics=DatasetStatistics()
    )


# --- plan -------------------------------------------------------------------------------------


def test_a_file_outlives_its_deletion_in_the_runs_that_have_it(rig: Rig, tmp_path: Path) -> None:
    rig.ended(rig.create())
    file = rig.uploaded()
    rig.adapter().delete_file(file)
    told = rig.adapter().download_file(file.id, target=tmp_path / "back.jsonl")
    assert (tmp_path / "back.jsonl").read_bytes() == rig.data.read_bytes()
    assert (told.id, told.sha256, told.bytes) == (file.id, file.sha256, file.bytes)
    with pytest.raises(NotFoundError, match="There is no file 0000"):
        rig.adapter().download_file("0" * 64, target=tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_a_plan_shows_every_setting_that_will_hold(rig: Rig) -> None:
    answer = assess(
        rig,
        hyperparameters={"n_epochs": 1, "learning_rate": "auto", "lora_r": 4},
        seed=7,
        suffix="mine",
    )
    resolved = dict(answer.resolved)
    assert resolved["n_epochs"] == 1
    assert resolved["learning_rate"] == 1e-3
    assert (resolved["lora_r"], resolved["lora_alpha"]) == (4, 16)
    assert (resolved["seed"], resolved["suffix"]) == (7, "mine")
    assert resolved["target_modules"] == "all-linear"
    assert answer.ignored == ()


def test_what_local_has_not_is_ignored_and_said(rig: Rig) -> None:
    answer = assess(rig, hyperparameters={"learning_rate_multiplier": 2.0})
    assert [item.name for item in answer.ignored] == ["learning_rate_multiplier"]


def test_what_stands_behind_a_name_is_part_of_the_identity(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template.jinja"
    options = LocalOptions(chat_template=str(template))
    template.write_text("{{ messages }} one")
    first = rig.adapter().identity(rig.spec, options=options)
    assert rig.adapter().identity(rig.spec, options=options) == first
    template.write_text("{{ messages }} two")
    assert rig.adapter().identity(rig.spec, options=options) != first

    relative = rig.spec.model_copy(update={"base_model": "./m"})
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name / "m"
        folder.mkdir(parents=True)
        for file in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / file).write_text("{}")
        monkeypatch.chdir(folder.parent)
        found.append(rig.adapter().identity(relative, options=LocalOptions()))
    assert found[0] != found[1]


def test_every_declared_knob_reaches_the_job(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())  # DPO needs TRL
    stated = Hyperparameters(
        n_epochs=0, batch_size=6, learning_rate=0.5, max_steps=11, max_length_tokens=99,
        gradient_accumulation_steps=3, warmup_ratio=0.25, weight_decay=0.125,
        lr_scheduler="cosine", lora_r=5, lora_alpha=7, lora_dropout=0.375,
        beta=0.25,
    )  # fmt: skip
    assert set(stated.stated) == {knob.name for knob in PROVIDER.hyperparameters}
    for method in PROVIDER.methods:
        own = {k.name for k in PROVIDER.hyperparameters if method in k.methods}
        answer = assess(rig, method=method, hyperparameters=stated.model_dump())
        assert {name: answer.resolved[name] for name in own} == {
            name: value for name, value in stated.stated.items() if name in own
        }
        assert {item.name for item in answer.ignored} == set(stated.stated) - own


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"batch_size": 8, "gradient_accumulation_steps": 3}, "equal micro-batches"),
        ({"lr_scheduler": "zigzag"}, "lr_scheduler=zigzag"),
        ({"learning_rate": 2.0}, "learning_rate=2"),
        ({"lora_r": 5000}, "largest value is 4096"),
    ],
)
def test_values_that_cannot_be_are_refused(rig: Rig, knobs: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        assess(rig, hyperparameters=knobs)


@pytest.mark.parametrize(
    ("flags", "word"), [("fpu avx512_bf16", "bf16"), ("fpu avx2", "fp32"), ("", "fp32")]
)
def test_the_data_type_is_said_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, flags: str, word: str
) -> None:
    monkeypatch.setattr(hardware, "_flags", lambda: frozenset(flags.split()))
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    assert any(note.startswith(f"Data type: {word};") for note in assess(rig).notes)


def test_a_chat_template_that_is_not_there_stops_the_plan(rig: Rig) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.jinja"):
        assess(rig, LocalOptions(chat_template="nowhere.jinja"))


# --- base models ------------------------------------------------------------------------------


def test_an_adapter_is_no_base_model_and_the_way_to_one_is_told(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"holds an adapter, .* --format merged"):
        assess(rig, base_model=str(tmp_path))


def test_the_three_kinds_of_base_model(rig: Rig) -> None:
    assert locate("smollm2-135m").kind == "alias"
    assert locate(str(rig.base)).kind == "path"
    assert locate("organisation/some-model").kind == "hub"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./nowhere", "is not a folder"),
        ("/no/such/folder", "is not a folder"),
        ("smolm2-135m", "Did you mean smollm2-135m"),
        ("two words", "There is no base model"),
    ],
)
def test_a_base_model_that_is_none_is_said_with_a_way_out(rig: Rig, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        assess(rig, base_model=name)


@pytest.mark.parametrize(
    ("missing", "added", "words"),
    [
        ("config.json", None, "config.json is missing"),
        ("model.safetensors", None, "no \\*.safetensors"),
        ("model.safetensors", "pytorch_model.bin", "only pickle weights"),
        ("tokenizer.json", None, "no tokenizer"),
    ],
)
def test_a_folder_without_a_loadable_model_is_refused(
    rig: Rig, missing: str, added: str | None, words: str
) -> None:
    (rig.base / missing).unlink()
    if added:
        (rig.base / added).write_bytes(b"\x80")
    with pytest.raises(ConfigurationError, match=words):
        assess(rig)


def test_a_model_that_is_quantised_already_is_refused(rig: Rig) -> None:
    config = {"quantization_config": {"quant_method": "bitsandbytes"}}
    (rig.base / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="quantised already"):
        assess(rig)


def test_chats_go_to_an_adapter_or_to_a_base_model(rig: Rig) -> None:
    host = LocalHostingAdapter(rig.settings)

    def model(name: str, source: ModelSource) -> TunedModel:
        return TunedModel(source=source, name=name, provider="local")

    alias = host.endpoint(model("smollm2-135m", ModelSource.HUB))
    folder = host.endpoint(model(str(rig.base), ModelSource.LOCAL_PATH))
    assert alias.url == folder.url
    (rig.base / "adapter_config.json").write_text("{}")
    assert host.endpoint(model(str(rig.base), ModelSource.LOCAL_PATH)).url != alias.url
    assert dict(host.credentials(alias)) == {}
    with pytest.raises(DeploymentError, match="is not a folder"):
        host.endpoint(model("/gone", ModelSource.LOCAL_PATH))


# --- files ------------------------------------------------------------------------------------


def test_an_upload_is_named_by_the_bytes_that_were_copied(rig: Rig) -> None:
    prepared = rig.prepared()
    rig.data.write_text("changed meanwhile\n")
    file = rig.adapter().upload(prepared, purpose="validation", submission_id="ft1")
    assert file.sha256 == hashlib.sha256(b"changed meanwhile\n").hexdigest() != prepared.sha256
    assert (file.bytes, file.purpose, file.name) == (18, "validation", prepared.name)


def test_files_are_found_by_what_is_in_them(rig: Rig) -> None:
    adapter, file = rig.adapter(), rig.uploaded()
    found = adapter.find_file(file.sha256, size_bytes=file.bytes)
    assert found is not None
    assert (found.id, found.bytes) == (file.id, file.bytes)
    assert adapter.find_file(file.sha256, size_bytes=file.bytes + 1) is None
    assert adapter.find_file("0" * 64, size_bytes=1) is None


def test_a_damaged_file_is_not_found(rig: Rig) -> None:
    file = rig.uploaded()
    kept = rig.settings.home / "local" / "files" / f"{file.sha256}.jsonl"
    kept.write_bytes(b"x" * file.bytes)
    assert rig.adapter().find_file(file.sha256, size_bytes=file.bytes) is None
    assert rig.uploaded() == file
    assert rig.adapter().find_file(file.sha256, size_bytes=file.bytes) is not None


def test_a_deleted_file_is_gone_but_jobs_keep_theirs(rig: Rig) -> None:
    ref = rig.create()
    file = rig.uploaded()
    rig.adapter().delete_file(file)
    assert rig.adapter().find_file(file.sha256, size_bytes=file.bytes) is None
    assert (rig.run(ref.id) / "training.jsonl").read_bytes() == rig.data.read_bytes()
    with pytest.raises(NotFoundError, match="There is no file"):
        rig.adapter().delete_file(file)


def test_a_state_folder_that_cannot_be_is_a_sentence(rig: Rig) -> None:
    (rig.folder / "home").write_text("a file where a folder should be")
    with pytest.raises(FileExistsError) as caught:
        rig.uploaded()
    told = rig.adapter().translate(caught.value, operation="upload")
    assert isinstance(told, ConfigurationError)
    assert "FTPROVIDERS_HOME" in str(told)
    full = rig.adapter().translate(OSError(errno.ENOSPC, "x", "f"), operation="upload")
    assert "disk is full" in str(full)


def test_a_relative_home_is_made_absolute(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rig.folder)
    rig.settings = rig.settings.model_copy(update={"home": Path("home")})
    assert rig.ended(rig.create()).status.value == "succeeded"


# --- processes --------------------------------------------------------------------------------


def test_workers_get_an_environment_that_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    env = process.environment(threads=3)
    assert (env["GOMP_SPINCOUNT"], env["OMP_WAIT_POLICY"]) == ("0", "PASSIVE")
    assert env["OMP_NUM_THREADS"] == "3"
    assert "HF_HUB_OFFLINE" not in env
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    assert process.environment()["GOMP_SPINCOUNT"] == "5"


def test_a_lock_moves_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    number = process.hold(tmp_path / "a" / "lock")
    (tmp_path / "a").rename(tmp_path / "b")
    assert process.alive(tmp_path / "b" / "lock")
    assert process.try_hold(tmp_path / "b" / "lock") is None
    process.release(number)
    assert not process.alive(tmp_path / "b" / "lock")
    assert not process.alive(tmp_path / "nothing")


# --- what the plan says ----------------------------------------------------------------------


def test_what_only_a_gpu_can_do_is_ignored_without_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    answer = assess(rig, LocalOptions(tf32=True))
    assert [(item.name, item.value) for item in answer.ignored] == [("tf32", True)]
    assert "tf32" not in answer.resolved
    assert assess(rig).ignored == ()
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: True)
    there = assess(rig, LocalOptions(tf32=True))
    assert there.ignored == ()
    assert there.resolved["tf32"] is True


def test_bf16_without_its_instructions_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    (note,) = [n for n in assess(rig, LocalOptions(dtype="bf16")).notes if "Data type" in n]
    assert "no bf16 instructions" in note


def test_defaults_are_told_from_what_was_stated(rig: Rig) -> None:
    options = LocalOptions(tuning="dora", guide={"num_train_epochs": 2})
    answer = assess(rig, options, hyperparameters={"lora_r": 4, "learning_rate": "auto"})
    assert {"learning_rate", "batch_size", "seed", "packing"} <= set(answer.defaults)
    assert not {"lora_r", "n_epochs", "tuning", "use_dora"} & set(answer.defaults)
    assert set(answer.defaults) <= set(answer.resolved)


def test_settings_that_say_nothing_are_not_shown(rig: Rig) -> None:
    assert not {"save_steps", "eval_steps", "early_stopping_threshold"} & set(assess(rig).resolved)
    stepwise = assess(rig, LocalOptions(save_strategy="steps", save_steps=7))
    assert stepwise.resolved["save_steps"] == 7


def test_a_hub_model_that_is_not_here_was_checked_by_nobody(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (note,) = [n for n in assess(rig, base_model="some/model").notes if "Base model" in n]
    assert "nobody has checked that it exists" in note
    assert "downloaded" in note
    model = tmp_path / "hub" / "models--some--model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc")
    (model / "snapshots" / "abc").mkdir(parents=True)
    (model / "snapshots" / "abc" / "tokenizer.json").write_text("{}")
    (note,) = [n for n in assess(rig, base_model="some/model").notes if "Base model" in n]
    assert "cache here" in note
    assert "checked" not in note


def test_a_broken_template_is_blamed_on_its_file(rig: Rig, tmp_path: Path) -> None:
    file = tmp_path / "bad.jinja"
    file.write_text("{{ messages\n")
    with pytest.raises(ConfigurationError, match=r"bad\.jinja is no valid Jinja: line \d"):
        assess(rig, LocalOptions(chat_template=str(file)))
