"""Settings of a local job: what they become, which go together, and guides' names for them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders import registry
from ftproviders.adapters.local import PROVIDER
from ftproviders.adapters.local.guide_names import GUIDE_NAMES
from ftproviders.adapters.local.options import LocalOptions
from ftproviders.adapters.local.settings import SCHEDULERS, choose, resolve
from ftproviders.errors import ConfigurationError, MissingDependencyError
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.job import JobSpec
from ftproviders.schema.plan import Assessment
from ftproviders.worker import hardware
from tests.unit.local.conftest import Rig


def options(**given: Any) -> LocalOptions:
    return registry.options(PROVIDER, given)  # type: ignore[return-value]  # local's own class


def assess(rig: Rig, given: dict[str, Any], **changes: object) -> Assessment:
    spec = JobSpec.model_validate(rig.spec.model_dump() | changes)
    return rig.adapter().assess(spec, options=options(**given), statistics=DatasetStatistics())


def settled(rig: Rig, given: dict[str, Any], **changes: object) -> dict[str, Any]:
    spec = JobSpec.model_validate(rig.spec.model_dump() | changes)
    chosen = choose(spec, options(**given))
    return resolve(chosen.spec, chosen.options)


@pytest.fixture(autouse=True)
def everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that every module can be found; these tests are about settings."""
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: real(name, *rest) or object()
    )


# --- kinds of tuning ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tuning", "rate", "rslora", "dora"),
    [
        ("lora", 1e-3, False, False),
        ("rslora", 1e-3, True, False),
        ("dora", 1e-3, False, True),
        ("qlora", 1e-3, False, False),
        ("full", 1e-4, False, False),
    ],
)
def test_each_kind_has_its_own_defaults(
    rig: Rig, tuning: str, rate: float, rslora: bool, dora: bool
) -> None:
    found = settled(rig, {"tuning": tuning})
    assert found["learning_rate"] == rate
    assert (found["use_rslora"], found["use_dora"]) == (rslora, dora)
    assert settled(rig, {"tuning": tuning}, hyperparameters={"learning_rate": 0.5})[
        "learning_rate"
    ] == pytest.approx(0.5)


def test_a_whole_model_is_trained_in_fp32_unless_stated(rig: Rig) -> None:
    assert settled(rig, {"tuning": "full"})["dtype"] == "fp32"
    assert settled(rig, {"tuning": "full", "dtype": "bf16"})["dtype"] == "bf16"
    assert settled(rig, {"tuning": "lora"})["dtype"] == "auto"
    notes = " ".join(assess(rig, {"tuning": "full"}).notes)
    assert "Data type: fp32, in which a whole model keeps its small updates." in notes


def test_preferences_have_defaults_of_their_own(rig: Rig) -> None:
    found = settled(rig, {}, method="dpo")
    assert (found["n_epochs"], found["learning_rate"], found["beta"]) == (1, 5e-5, 0.1)
    assert settled(rig, {"tuning": "full"}, method="dpo")["learning_rate"] == 1e-6
    stated = settled(rig, {}, method="dpo", hyperparameters={"beta": 0.3, "n_epochs": "auto"})
    assert (stated["beta"], stated["n_epochs"]) == (0.3, 1)
    assert "beta" not in settled(rig, {}, hyperparameters={"beta": 0.3})


def test_lora_settings_are_ignored_aloud_without_lora(rig: Rig) -> None:
    answer = assess(rig, {"tuning": "full"}, hyperparameters={"lora_r": 4})
    assert [(item.name, item.value) for item in answer.ignored] == [("lora_r", 4)]


@pytest.mark.parametrize(
    ("given", "changes", "words"),
    [
        ({"tuning": "full", "use_dora": True}, {}, "use_dora belongs to LoRA"),
        ({"tuning": "full", "modules_to_save": "lm_head"}, {}, "modules_to_save belongs to LoRA"),
        ({"tuning": "full", "lora_bias": "all"}, {}, "lora_bias belongs to LoRA"),
        ({"keep_best": True}, {}, "keep_best needs a validation loss"),
        ({"early_stopping_patience": 2}, {}, "early_stopping_patience needs a validation loss"),
        (
            {"keep_best": True, "eval_strategy": "no"},
            {"validation_file": "v.jsonl"},
            "keep_best needs a validation loss",
        ),
        ({"eval_strategy": "steps"}, {}, "does not say how many"),
        ({"packing": True}, {"method": "dpo"}, "pairs cannot be packed"),
        ({"assistant_only_loss": False}, {"method": "dpo"}, "compares answers only"),
        ({}, {"hyperparameters": {"lr_scheduler": "cosine_with_min_lr"}}, "does not know"),
        ({"trackers": "aim"}, {}, "does not know the tracker aim"),
    ],
)
def test_what_does_not_go_together_is_refused(
    rig: Rig, given: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        assess(rig, given, **changes)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "knobs", "words"),
    [
        ({}, {"lr_scheduler": "constant", "warmup_ratio": 0.03}, "warmup_ratio has no effect"),
        ({"bnb_4bit_quant_type": "fp4"}, {}, "have an effect with tuning=qlora only"),
        ({"tuning": "full", "target_modules": "q_proj"}, {}, "target_modules has no effect"),
        ({"early_stopping_threshold": 0.1}, {}, "early_stopping_threshold has no effect"),
    ],
)
def test_what_has_no_effect_is_warned_about(
    rig: Rig, given: dict[str, Any], knobs: dict[str, Any], words: str
) -> None:
    assert any(words in text for text in assess(rig, given, hyperparameters=knobs).warnings)


@pytest.mark.parametrize(
    ("given", "module", "install"),
    [
        ({"tuning": "qlora"}, "bitsandbytes", "ftproviders[quantized]"),
        ({"trackers": "tensorboard"}, "tensorboard", "ftproviders[trackers]"),
        ({"trackers": ["wandb", "mlflow"]}, "wandb", "pip install wandb"),
        ({"trackers": "trackio"}, "trackio", "pip install trackio"),
    ],
)
def test_a_missing_package_is_said_before_anything_starts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], module: str, install: str
) -> None:
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == module else object()
    )
    with pytest.raises(MissingDependencyError, match=f"needs {module}") as caught:
        assess(rig, given)
    assert caught.value.hint is not None
    assert install in caught.value.hint


def test_flash_attention_needs_a_device_that_has_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"attn_implementation": "flash_attention_2"}
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    with pytest.raises(ConfigurationError, match="needs an NVIDIA device"):
        assess(rig, given)
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: True)
    assert assess(rig, given).resolved["attn_implementation"] == "flash_attention_2"


# --- guides' names -----------------------------------------------------------------------------

GUIDE: dict[str, Any] = {
    # philschmid, fine-tune LLMs in 2024 with TRL: model, LoRA and training arguments
    "load_in_4bit": True,
    "bnb_4bit_use_double_quant": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": "torch.bfloat16",
    "torch_dtype": "bfloat16",
    "device_map": "auto",
    "padding_side": "right",
    "setup_chat_format": True,
    "lora_alpha": 128,
    "lora_dropout": 0.05,
    "r": 256,
    "bias": "none",
    "target_modules": "all-linear",
    "task_type": "CAUSAL_LM",
    "output_dir": "code-llama-7b-text-to-sql",
    "num_train_epochs": 3,
    "per_device_train_batch_size": 3,
    "gradient_accumulation_steps": 2,
    "gradient_checkpointing": True,
    "optim": "adamw_torch_fused",
    "logging_steps": 10,
    "save_strategy": "epoch",
    "learning_rate": 2e-4,
    "bf16": True,
    "tf32": True,
    "max_grad_norm": 0.3,
    "warmup_ratio": 0.03,
    "lr_scheduler_type": "constant",
    "report_to": "tensorboard",
    "max_seq_length": 3072,
    "packing": True,
    "dataset_kwargs": {"add_special_tokens": False, "append_concat_token": False},
}


def test_the_guide_is_taken_as_it_stands(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "has_nvidia_device", lambda: False)
    answer = assess(rig, GUIDE)
    found = dict(answer.resolved)
    wanted = {
        "tuning": "qlora",
        "dtype": "bf16",
        "bnb_4bit_compute_dtype": "bf16",
        "lora_r": 256,
        "lora_alpha": 128,
        "lora_dropout": 0.05,
        "lora_bias": "none",
        "n_epochs": 3,
        "batch_size": 6,
        "gradient_accumulation_steps": 2,
        "learning_rate": 2e-4,
        "lr_scheduler": "constant",
        "warmup_ratio": 0.03,
        "max_length_tokens": 3072,
        "trackers": "tensorboard",
        "max_grad_norm": 0.3,
        "packing": True,
        "gradient_checkpointing": True,
        "optim": "adamw_torch_fused",
        "logging_steps": 10,
    }
    assert {name: found[name] for name in wanted} == wanted
    mapped = {item.name: item.sent_as for item in answer.mapped}
    assert mapped["r"] == "hyperparameter lora_r"
    assert mapped["load_in_4bit"] == "option tuning"
    assert mapped["per_device_train_batch_size"].startswith("hyperparameter batch_size = 6")
    without_effect = {"device_map", "output_dir", "dataset_kwargs", "tf32"}
    assert {item.name for item in answer.ignored} == without_effect
    assert all(item.reason for item in answer.ignored)
    assert any("warmup_ratio has no effect" in text for text in answer.warnings)
    told = {*mapped, *(item.name for item in answer.ignored), *LocalOptions.model_fields}
    assert set(GUIDE) <= told


def test_our_template_is_what_the_guide_sets_up(rig: Rig) -> None:
    chosen = choose(rig.spec, options(setup_chat_format=True))
    assert chosen.options.chat_template == "chatml"
    document = rig.adapter()._document(rig.spec, options(setup_chat_format=True), [], "ft1")
    assert "<|im_start|>" in str(document["chat_template"])
    assert document["guide"] == {"setup_chat_format": True}


@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        ({"push_to_hub": True}, "push_to_hub=True", "hf upload"),
        ({"hub_token": "a-token"}, "hub_token", "hf auth login"),
        ({"fp16": True}, "fp16=True", "bf16"),
        ({"load_in_8bit": True}, "load_in_8bit", "qlora"),
        ({"trust_remote_code": True}, "trust_remote_code", "never run"),
        ({"task_type": "SEQ_CLS"}, "task_type=SEQ_CLS", "causal"),
        ({"padding_side": "left"}, "padding_side=left", "right"),
        ({"dataset_text_field": "text"}, "dataset_text_field", "data convert"),
        ({"warmup_steps": 5}, "warmup_steps", "warmup_ratio"),
        ({"metric_for_best_model": "accuracy"}, "metric_for_best_model", "lowest loss"),
        ({"per_device_train_batch_size": "many"}, "per_device_train_batch_size", "whole number"),
        ({"num_train_epochs": 1.5}, "n_epochs=1.5", "providers local"),
        ({"torch_dtype": "float16"}, "dtype=float16", "providers local"),
    ],
)
def test_what_cannot_be_had_is_refused_with_a_way_out(
    rig: Rig, given: dict[str, Any], words: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        assess(rig, given)
    assert words in caught.value.message
    assert hint in str(caught.value.hint)
    assert "a-token" not in str(caught.value)


def test_what_is_off_anyhow_is_no_matter(rig: Rig) -> None:
    answer = assess(
        rig, {"push_to_hub": False, "fp16": False, "load_in_4bit": False, "report_to": "none"}
    )
    assert answer.ignored == ()
    assert answer.resolved["tuning"] == "lora"
    assert "trackers" not in answer.resolved  # none


def test_a_setting_stated_twice_must_be_one(rig: Rig) -> None:
    assert settled(rig, {"num_train_epochs": 2}, hyperparameters={"n_epochs": 2})["n_epochs"] == 2
    with pytest.raises(ConfigurationError, match="n_epochs is stated twice"):
        settled(rig, {"num_train_epochs": 2}, hyperparameters={"n_epochs": 3})
    with pytest.raises(ConfigurationError, match="dtype is stated twice"):
        settled(rig, {"bf16": True, "torch_dtype": "float32"})
    with pytest.raises(ConfigurationError, match="tuning is stated twice"):
        settled(rig, {"load_in_4bit": True, "tuning": "full"})
    with pytest.raises(ConfigurationError, match="seed is stated twice"):
        settled(rig, {"seed": 1}, seed=2)
    assert settled(rig, {"seed": 1})["seed"] == 1


def test_guides_names_are_none_of_ours() -> None:
    assert not GUIDE_NAMES & set(LocalOptions.model_fields)
    with pytest.raises(ConfigurationError, match="does not exist"):
        options(no_such_setting=1)


def test_schedules_are_said(rig: Rig) -> None:
    for name in SCHEDULERS:
        assert settled(rig, {}, hyperparameters={"lr_scheduler": name})["lr_scheduler"] == name


# --- the rendered row --------------------------------------------------------------------------


def with_tokenizer(folder: Path, template: str) -> None:
    """Make a tokenizer of single letters, with a chat template."""
    letters = {chr(code): code - 32 for code in range(32, 127)} | {"\n": 95, "</s>": 96}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated",
                          "invert": False},
        "model": {"type": "WordLevel", "vocab": letters, "unk_token": "?"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "</s>", "chat_template": template})
    )


PLAIN = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '</s>' }}{% endfor %}"


def notes(rig: Rig, template: str, **given: Any) -> str:
    with_tokenizer(rig.base, template)
    return "\n".join(assess(rig, given).notes)


def test_the_first_row_is_shown_with_what_is_learned(rig: Rig) -> None:
    told = notes(rig, PLAIN + "{% if add_generation_prompt %}assistant: {% endif %}")
    assert "Chat template: tokenizer_config.json." in told
    assert "First row, learned in ⟦ ⟧: user: a</s>assistant: ⟦b</s>⟧" in told
    every = notes(rig, PLAIN, assistant_only_loss=False)
    assert "⟦user: a</s>assistant: b</s>⟧" in every


def test_of_a_pair_the_preferred_answer_is_learned(rig: Rig) -> None:
    with_tokenizer(rig.base, PLAIN)
    asked = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "before"}]
    good, bad = ([{"role": "assistant", "content": word}] for word in ("good", "bad"))
    shapes: list[dict[str, Any]] = [
        {"input": {"messages": asked}, "preferred_output": good, "non_preferred_output": bad},
        {"prompt": asked, "chosen": good, "rejected": bad},
    ]
    for row in shapes:
        rig.data.write_text(json.dumps(row) + "\n")
        told = "\n".join(assess(rig, {}, method="dpo").notes)
        assert "user: q</s>assistant: before</s>⟦assistant: good</s>⟧" in told


def test_a_template_that_rewrites_gives_way_to_ours(rig: Rig) -> None:
    told = notes(rig, "{{ messages | length }}" + PLAIN)
    assert "ChatML of ftproviders, because the model's own rewrites earlier messages" in told
    assert "<|im_start|>assistant\\n⟦b</s>⟧" in told


def test_without_a_tokenizer_here_no_row_is_shown(rig: Rig) -> None:
    assert not any("First row" in note for note in assess(rig, {}).notes)


@pytest.mark.parametrize("name", ["seed", "per_device_train_batch_size"])
def test_a_broken_number_of_a_guide_is_not_cut_off(rig: Rig, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}=2\.9") as caught:
        assess(rig, {name: 2.9})

    assert "whole number" in str(caught.value.hint)


def test_a_name_that_no_guide_has_is_refused(rig: Rig) -> None:
    with pytest.raises(ConfigurationError, match="foo=1"):
        assess(rig, {"guide": {"foo": 1}})


def test_blanks_around_names_of_layers_do_not_count(rig: Rig) -> None:
    found = assess(rig, {"target_modules": "q_proj, v_proj"})

    assert found.resolved["target_modules"] == "q_proj,v_proj"
