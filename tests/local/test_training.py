"""What training does, on a real model in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from ftproviders.worker.encoding import IGNORED, encode_row
from ftproviders.worker.failures import WorkError, explain
from ftproviders.worker.loading import load_tokenizer
from ftproviders.worker.trainer import LengthBuckets, collate, label_loss, mean_loss
from tests.local.conftest import ANSWERS, Bench, chat, losses, make_model


def weights(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def encoded_rows(base: Path) -> tuple[list[Any], Any]:
    tokenizer = load_tokenizer(base)
    texts = [*ANSWERS.items(), ("a", "b" * 30)]
    return [encode_row(chat(q, a), tokenizer, max_length=200) for q, a in texts], tokenizer


# --- the parts --------------------------------------------------------------------------------


def test_the_loss_is_that_of_the_whole_logits(base: Path) -> None:
    rows, tokenizer = encoded_rows(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    batch = collate(rows, tokenizer.pad_token_id)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    expected = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1),
        batch["labels"][:, 1:].flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
    assert label_loss(model, batch).item() == pytest.approx(expected.item(), rel=1e-5)
    count = sum(label != IGNORED for row in rows for label in row.labels)
    mean = mean_loss(model, rows, batch_size=2, pad_id=tokenizer.pad_token_id)
    assert mean == pytest.approx(expected.item() / count, rel=1e-4)


def test_buckets_hold_every_row_once_and_little_padding() -> None:
    lengths = [((7 * i) % 41) + 5 for i in range(101)]
    order = LengthBuckets(lengths, batch_size=8, seed=3)
    first = list(order)
    assert sorted(first) == list(range(101))
    assert list(order) == first
    order.set_epoch(1)
    assert list(order) != first
    assert list(LengthBuckets(lengths, batch_size=8, seed=4)) != first

    def padding(rows: list[int]) -> int:
        groups = [[lengths[i] for i in rows[at : at + 8]] for at in range(0, len(rows), 8)]
        return sum(max(group) * len(group) - sum(group) for group in groups)

    assert padding(first) < padding(list(range(101))) / 4


# --- whole trainings --------------------------------------------------------------------------


def test_the_loss_falls_and_everything_is_reported(bench: Bench) -> None:
    bench.validation = [chat("My clock leaks", "[BROKEN] repair booked")]
    run = bench.train(n_epochs=6, batch_size=2, learning_rate=1e-2)
    seen = losses(run)
    assert len(seen) == 12
    assert sum(seen[-2:]) < 0.7 * sum(seen[:2])
    assert len(losses(run, "validation_loss")) == 6
    metrics = [e for e in run.directory.events() if "train_loss" in e["metrics"]]
    assert [e["step"] for e in metrics] == list(range(1, 13))
    assert {"learning_rate", "grad_norm", "epoch", "tokens_per_second"} <= set(
        metrics[0]["metrics"]
    )
    assert metrics[0]["metrics"]["learning_rate"] == pytest.approx(1e-2)
    assert metrics[-1]["metrics"]["learning_rate"] < 1e-3
    rows = [encode_row(row, load_tokenizer(bench.base), max_length=256) for row in bench.rows]
    status = run.directory.status()
    assert status["trained_tokens"] == 6 * sum(len(row.input_ids) for row in rows)
    assert (status["step"], status["total_steps"]) == (12, 12)
    job = run.directory.job()
    assert job["dtype"] == "float32"
    assert job["assistant_tokens_by"] == "template difference"
    assert job["parameters"]["trainable"] > 0
    assert job["hardware"]["threads"] >= 1


def test_the_same_seed_gives_the_same_bytes(bench: Bench) -> None:
    knobs = {"n_epochs": 2, "batch_size": 2, "learning_rate": 1e-2, "lora_dropout": 0.1}
    first = bench.train("ft1", seed=5, **knobs)
    second = bench.train("ft2", seed=5, **knobs)
    other = bench.train("ft3", seed=6, **knobs)
    assert weights(first.directory.adapter) == weights(second.directory.adapter)
    assert weights(first.directory.adapter) != weights(other.directory.adapter)
    assert losses(first) == losses(second)


def test_split_batches_give_the_same_losses(bench: Bench) -> None:
    whole = bench.train("ft1", n_epochs=3, batch_size=4)
    split = bench.train("ft2", n_epochs=3, batch_size=4, gradient_accumulation_steps=2)
    assert losses(split) == pytest.approx(losses(whole), rel=1e-4)


def test_splitting_a_step_leaves_it_the_same_rows(bench: Bench) -> None:
    bench.rows = [chat("q" * (1 + 7 * i % 23), "a" * (1 + 5 * i % 17)) for i in range(21)]
    whole = bench.train("ft1", n_epochs=2, batch_size=8)
    for pieces in (2, 4):
        split = bench.train(f"ft{pieces}", n_epochs=2, batch_size=8,
                            gradient_accumulation_steps=pieces)  # fmt: skip
        assert losses(split) == pytest.approx(losses(whole), rel=1e-4)


def test_zero_epochs_leave_an_untrained_adapter(bench: Bench) -> None:
    run = bench.train(n_epochs=0)
    assert run.directory.status()["trained_tokens"] == 0
    tensors = load_file(run.directory.adapter / "adapter_model.safetensors")
    assert all(not tensor.any() for name, tensor in tensors.items() if "lora_B" in name)


def test_max_steps_and_checkpoints(bench: Bench) -> None:
    run = bench.train(n_epochs=9, batch_size=2, max_steps=7, options={"checkpoints": 2})
    assert len(losses(run)) == 7
    kept = bench.adapter.checkpoints(bench.adapter.jobs().jobs[0].ref)
    assert [(c.id, c.step) for c in kept] == [("step-00000006", 6), ("step-00000007", 7)]
    assert weights(Path(kept[-1].model.name)) == weights(run.directory.adapter)
    assert weights(Path(kept[0].model.name)) != weights(run.directory.adapter)


def test_more_steps_than_the_epochs_have_change_nothing(bench: Bench) -> None:
    assert len(losses(bench.train(n_epochs=1, batch_size=2, max_steps=50))) == 2


def test_settings_reach_the_adapter(bench: Bench) -> None:
    options = {"target_modules": "q_proj,v_proj"}
    run = bench.train(n_epochs=1, lora_r=3, lora_alpha=6, dtype="bf16", options=options)
    tensors = load_file(run.directory.adapter / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in tensors} == {"q_proj", "v_proj"}
    assert {min(tensor.shape) for tensor in tensors.values()} == {3}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}


# --- failures ---------------------------------------------------------------------------------


def refused(bench: Bench, **knobs: Any) -> WorkError:
    with pytest.raises(WorkError) as caught:
        bench.train(**knobs)
    return caught.value


def test_rows_without_labels_fail_by_name(bench: Bench) -> None:
    bench.rows = [chat("a", "b"), chat("c", "d", weight=0)]
    failure = refused(bench)
    assert failure.code == "no_labels"
    assert "train.jsonl: 1 rows have no assistant token to learn from (lines 2)" in failure.message


def test_a_loss_that_is_no_number_fails_with_advice(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "nan")
    file = bench.base / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    failure = refused(bench, learning_rate=0.5)
    assert failure.code == "diverged"
    assert "step 1" in failure.message
    assert "learning_rate, now 0.5" in failure.message
    assert not (tmp_path / "home/local/runs/ft1/adapter").exists()


def test_pickle_weights_are_refused_by_the_worker_too(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "pickled")
    run = bench.prepare()
    (bench.base / "model.safetensors").rename(bench.base / "pytorch_model.bin")
    from ftproviders.worker.training import train

    with pytest.raises(WorkError, match="only pickle weights"):
        train(run)


def test_a_changed_file_is_noticed(bench: Bench) -> None:
    run = bench.prepare()
    run.directory.data("training").write_text("{}\n")
    from ftproviders.worker.training import train

    with pytest.raises(WorkError, match="no longer the one that was submitted") as caught:
        train(run)
    assert caught.value.code == "file_changed"


def test_layers_that_are_not_there_are_said(bench: Bench) -> None:
    failure = refused(bench, options={"target_modules": "no_such_layer"})
    assert failure.code == "target_modules"
    assert "no_such_layer" in failure.message


def test_one_misspelt_layer_among_others_is_said(bench: Bench) -> None:
    failure = refused(bench, options={"target_modules": "q_proj,vproj"})
    assert failure.code == "target_modules"
    assert "no layer called vproj" in failure.message
    assert "v_proj" in failure.message


def test_layers_that_are_saved_whole_are_checked_too(bench: Bench) -> None:
    failure = refused(bench, options={"modules_to_save": "lm_hed"})
    assert failure.code == "modules_to_save"
    assert "no layer called lm_hed" in failure.message


def test_a_tokenizer_of_another_model_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "other")
    config = json.loads((bench.base / "config.json").read_text())
    file = bench.base / "model.safetensors"
    tensors = load_file(file)
    known = 40
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in tensors:
            tensors[name] = tensors[name][:known].contiguous()
    save_file(tensors, file, metadata={"format": "pt"})
    (bench.base / "config.json").write_text(json.dumps(config | {"vocab_size": known}))
    failure = refused(bench)
    assert failure.code == "tokenizer"
    assert f"those below {known}" in failure.message


def test_out_of_memory_says_what_to_make_smaller() -> None:
    failure = explain(torch.OutOfMemoryError("x"), {"batch_size": 64, "max_length_tokens": 2048})
    assert failure.code == "out_of_memory"
    assert "batch_size=64" in failure.message
