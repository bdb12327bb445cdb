"""Every way of tuning, on a real model in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ftproviders.worker.encoding import encode_row
from ftproviders.worker.loading import load_tokenizer, load_tuned
from ftproviders.worker.trainer import mean_loss
from tests.local.conftest import ANSWERS, Bench, chat, losses

TUNINGS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {},
    "dora": {},
    "qlora": {},
    "qlora with DoRA and rsLoRA": {"tuning": "qlora", "use_dora": True, "use_rslora": True},
    "full": {},
}
FAST = {"n_epochs": 4, "batch_size": 2, "learning_rate": 1e-2, "lora_dropout": 0.1}


def options(kind: str) -> dict[str, Any]:
    return TUNINGS[kind] or {"tuning": kind}


def everything(folder: Path) -> bytes:
    (file,) = folder.glob("*.safetensors")
    return file.read_bytes()


def held(bench: Bench, folder: Path) -> float:
    """Return the loss of the training rows with what was saved."""
    model, tokenizer = load_tuned(folder, bench.settings.cache)
    rows = [encode_row(row, tokenizer, max_length=256) for row in bench.rows]
    return mean_loss(model, rows, batch_size=4, pad_id=tokenizer.pad_token_id)


@pytest.mark.parametrize("kind", TUNINGS)
def test_it_learns_and_what_it_leaves_answers_so(bench: Bench, kind: str) -> None:
    bench.validation = bench.rows
    run = bench.train(**FAST, options=options(kind))
    seen = losses(run)
    assert sum(seen[-2:]) < 0.8 * sum(seen[:2])
    told = losses(run, "validation_loss")[-1]
    # A base model in 4 bit is loaded as the rounded weights that the adapter was trained with.
    assert held(bench, run.directory.adapter) == pytest.approx(told, rel=1e-3)
    job = run.directory.job()
    share = job["parameters"]["trainable"] / job["parameters"]["total"]
    assert (share == 1) if kind == "full" else (share < 0.5)


@pytest.mark.parametrize("kind", TUNINGS)
def test_the_same_seed_gives_the_same_bytes(bench: Bench, kind: str) -> None:
    knobs = FAST | {"n_epochs": 1, "seed": 5}
    first = bench.train("ft1", **knobs, options=options(kind))
    second = bench.train("ft2", **knobs, options=options(kind))
    assert everything(first.directory.adapter) == everything(second.directory.adapter)


def test_a_whole_model_is_left_whole(bench: Bench) -> None:
    run = bench.train(**FAST, options={"tuning": "full"})
    names = {path.name for path in run.directory.adapter.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    assert "adapter_config.json" not in names


def test_peft_gets_the_settings(bench: Bench) -> None:
    from peft import PeftConfig

    run = bench.train(
        n_epochs=1,
        options={
            "use_dora": True,
            "use_rslora": True,
            "modules_to_save": ["lm_head"],
            "target_modules": ["q_proj", "v_proj"],
            "lora_bias": "lora_only",
        },
    )
    config = PeftConfig.from_pretrained(run.directory.adapter)
    assert (config.use_dora, config.use_rslora, config.bias) == (True, True, "lora_only")
    assert config.target_modules == {"q_proj", "v_proj"}
    tensors = load_file(run.directory.adapter / "adapter_model.safetensors")
    assert any("lm_head" in name for name in tensors)


def test_a_quantised_base_holds_no_whole_copies(bench: Bench) -> None:
    from ftproviders.worker.adapting import adapt
    from ftproviders.worker.loading import load_model, quantization_for

    settings = bench.prepare(options={"tuning": "qlora"}, dtype="bf16").job["settings"]
    model = load_model(
        bench.base,
        dtype=torch.bfloat16,
        attention="sdpa",
        quantization=quantization_for(settings, torch.bfloat16),
    )
    adapt(model, settings, dtype=torch.bfloat16)
    layers = {k: p for k, p in model.named_parameters() if "proj.base_layer.weight" in k}
    assert layers
    assert {p.dtype for p in layers.values()} == {torch.uint8}
    assert {p.dtype for k, p in model.named_parameters() if k not in layers} == {torch.bfloat16}
    assert all("lora_" in k for k, p in model.named_parameters() if p.requires_grad)


# --- what the loss is made of ------------------------------------------------------------------


def test_packed_rows_have_the_loss_of_rows_alone(bench: Bench) -> None:
    bench.rows = [chat(q, a + " yes" * n) for n in range(3) for q, a in ANSWERS.items()]
    knobs = {"n_epochs": 1, "batch_size": 12, "max_length_tokens": 90}
    alone = bench.train("ft1", **knobs)
    packed = bench.train("ft2", **knobs, options={"packing": True})
    assert losses(packed) == pytest.approx(losses(alone), rel=1e-4)
    told = [e["message"] for e in packed.directory.events() if "packed into" in e["message"]]
    assert len(told) == 1
    assert packed.directory.status()["trained_tokens"] == alone.directory.status()["trained_tokens"]
    eager = {"packing": True, "attn_implementation": "eager"}
    assert losses(bench.train("ft3", **knobs, options=eager)) == pytest.approx(
        losses(alone), rel=1e-4
    )


def test_every_token_is_learned_when_asked_for(bench: Bench) -> None:
    row = encode_row(bench.rows[0], load_tokenizer(bench.base), max_length=99, learn_all=True)
    assert row.labels[1:] == row.input_ids[1:]
    run = bench.train(n_epochs=1, options={"assistant_only_loss": False})
    message = next(e["message"] for e in run.directory.events() if " tokens, " in e["message"])
    tokens = sum(
        len(encode_row(row, load_tokenizer(bench.base), max_length=256).input_ids)
        for row in bench.rows
    )
    assert f"{tokens} tokens, {tokens - len(bench.rows)} of them" in message


def test_validating_leaves_quantised_weights_alone(bench: Bench) -> None:
    options = {"tuning": "qlora"}
    alone = bench.train("ft1", **FAST, options=options)
    bench.validation = bench.rows
    watched = bench.train("ft2", **FAST, options=options)
    assert losses(watched) == losses(alone)
