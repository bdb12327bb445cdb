"""What settings of the Trainer do to a real training in this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from ftproviders.adapters.local.settings import SCHEDULERS
from ftproviders.worker.arguments import argument_values
from ftproviders.worker.encoding import encode_row
from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import load_tokenizer
from ftproviders.worker.packing import check_packing, pack
from ftproviders.worker.rundir import read_json
from ftproviders.worker.trainer import collate, label_loss
from tests.local.conftest import Bench, chat, losses

SHORT = {"n_epochs": 3, "batch_size": 2, "learning_rate": 1e-2}


def rates(bench: Bench, name: str, **knobs: Any) -> list[float]:
    run = bench.train(n_epochs=4, batch_size=2, lr_scheduler=name, **knobs)
    return losses(run, "learning_rate")


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_schedule_runs_and_is_the_one_it_says(bench: Bench, name: str) -> None:
    seen = rates(bench, name, learning_rate=1e-2, warmup_ratio=0.25)
    warms_up = name != "constant"
    assert (seen[0] < 1e-2) is warms_up
    assert max(seen) == pytest.approx(1e-2)
    stays = name in ("constant", "constant_with_warmup")
    assert (seen[-1] == pytest.approx(1e-2)) is stays


@pytest.mark.parametrize(
    "optim", ["adamw_torch", "adamw_torch_fused", "sgd", "adafactor", "adagrad", "rmsprop"]
)
def test_every_optimizer_learns(bench: Bench, optim: str) -> None:
    run = bench.train(**SHORT, options={"optim": optim})
    seen = losses(run)
    assert sum(seen[-2:]) < sum(seen[:2])


def test_computing_activations_again_changes_no_loss(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    passes: list[int] = []
    honest = LlamaMLP.forward

    def counted(self: Any, x: Any) -> Any:
        passes.append(self.training)
        return honest(self, x)

    monkeypatch.setattr(LlamaMLP, "forward", counted)
    plain = bench.train("ft1", **SHORT)
    for number, tuning in enumerate(("lora", "full")):
        options = {"gradient_checkpointing": True, "tuning": tuning}
        passes.clear()
        run = bench.train(f"ft2{number}", **SHORT, options=options)
        # Two layers in six steps, each forward and once more on the way back.
        assert len(passes) == 2 * 6 * 2
        if tuning == "lora":
            assert losses(run) == pytest.approx(losses(plain), rel=1e-5)
        assert losses(run)[-1] < losses(run)[0]


def test_noise_on_embeddings_changes_training_alone(bench: Bench) -> None:
    bench.validation = bench.rows
    plain = bench.train("ft1", **SHORT, options={"eval_strategy": "steps", "eval_steps": 100})
    noisy = bench.train("ft2", **SHORT, options={"neftune_noise_alpha": 5.0})
    assert losses(noisy) != losses(plain)
    assert losses(noisy)[0] != losses(plain)[0]


def test_what_reaches_the_trainer(bench: Bench) -> None:
    options = {"max_grad_norm": 0.25, "logging_steps": 2, "optim": "sgd"}
    more = {"gradient_accumulation_steps": 2, "weight_decay": 0.125, "seed": 9}
    run = bench.prepare(**SHORT, **more, options=options)
    values = argument_values(run, run.job["settings"], 4)
    wanted = {
        "max_grad_norm": 0.25,
        "logging_steps": 2,
        "optim": "sgd",
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 2,
        "max_steps": 6,
        "weight_decay": 0.125,
        "learning_rate": 1e-2,
        "seed": 9,
        "report_to": ["none"],
    }
    assert {name: values[name] for name in wanted} == wanted


# --- validation --------------------------------------------------------------------------------


def test_validation_by_steps_sees_the_last_model_too(bench: Bench) -> None:
    bench.validation = bench.rows
    options = {"eval_strategy": "steps", "eval_steps": 4}
    run = bench.train(**SHORT, options=options)
    steps = [e["step"] for e in run.directory.events() if "validation_loss" in e["metrics"]]
    assert steps == [4, 6]


def test_the_best_model_is_kept(bench: Bench) -> None:
    # The same question with another answer: the better that is known, the less likely is this.
    bench.validation = [chat("My kettle leaks", "[BROKEN] repair booked")]
    bench.rows = [chat("My kettle leaks", "no repair at all")]
    options = {"keep_best": True, "eval_strategy": "steps", "eval_steps": 1}
    run = bench.train(n_epochs=16, learning_rate=1e-2, lr_scheduler="constant", options=options)
    seen = losses(run, "validation_loss")
    assert min(seen) < seen[-1]
    card = read_json(run.directory.adapter / "ftproviders.json")
    assert card["validation_loss"] == min(seen)
    assert card["step"] == seen.index(min(seen)) + 1
    assert not list(run.directory.path.glob("best-*"))


def test_training_stops_when_it_gets_no_better(bench: Bench) -> None:
    bench.validation = bench.rows
    options = {"early_stopping_patience": 2, "early_stopping_threshold": 100.0}
    run = bench.train(n_epochs=20, batch_size=4, learning_rate=1e-3, options=options)
    # The first is the best by definition; two more are not better by 100.
    assert len(losses(run, "validation_loss")) == 3
    assert any("Stopping early at step 3" in e["message"] for e in run.directory.events())
    assert run.directory.adapter.is_dir()


# --- packing -----------------------------------------------------------------------------------


def test_packing_keeps_every_row_once_and_fills_sequences(bench: Bench) -> None:
    tokenizer = load_tokenizer(bench.base)
    rows = [
        encode_row(chat("q" * (1 + 7 * i % 23), "a" * (1 + 5 * i % 17)), tokenizer, max_length=90)
        for i in range(40)
    ]
    packed = pack(rows, length=90)
    assert pack(rows, length=90) == packed
    assert sum(len(row.input_ids) for row in packed) == sum(len(row.input_ids) for row in rows)
    assert sum(row.positions.count(0) for row in packed) == len(rows)
    assert max(len(row.input_ids) for row in packed) <= 90
    # First fit decreasing needs at most 11/9 of the fewest sequences, and one more.
    fewest = -(-sum(len(row.input_ids) for row in rows) // 90)
    assert len(packed) <= fewest * 11 / 9 + 1
    alone = sum(label_loss(_model(bench), collate([row], 0)).item() for row in rows)
    joined = label_loss(_model(bench), collate(packed, 0)).item()
    assert joined == pytest.approx(alone, rel=1e-4)


def _model(bench: Bench) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(bench.base)


def test_a_model_whose_rows_would_see_each_other_is_refused(bench: Bench) -> None:
    tokenizer = load_tokenizer(bench.base)
    rows = [encode_row(row, tokenizer, max_length=90) for row in bench.rows]
    model = _model(bench)

    def blind(batch: Any) -> float:
        """Do what a model does that has positions and no mask of blocks: see everything."""
        inputs = collate(batch, 0)
        inputs.pop("position_ids", None)
        return float(label_loss(model, inputs))

    with pytest.raises(WorkError, match="lets packed rows see each other"):
        check_packing(model, rows, loss=blind)


def test_packing_is_tried_on_the_model_before_anything_is_trained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaModel

    honest = LlamaModel.forward

    def blind(self: Any, *args: Any, position_ids: Any = None, **named: Any) -> Any:
        """Be a model that takes positions and makes no mask of blocks of them."""
        length = named["input_ids"].shape[1]
        mask = named.pop("attention_mask", None)
        if mask is None:
            mask = torch.ones((1, 1, length, length)).tril().log()
        return honest(self, *args, position_ids=position_ids, attention_mask=mask, **named)

    monkeypatch.setattr(LlamaModel, "forward", blind)
    with pytest.raises(WorkError, match="Leave packing out") as caught:
        bench.train(**SHORT, options={"packing": True})
    assert (caught.value.code, caught.value.param) == ("packing", "packing")


# --- trackers ----------------------------------------------------------------------------------


def test_tensorboard_gets_the_losses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    bench.validation = bench.rows
    run = bench.train(**SHORT, options={"trackers": "tensorboard"})
    folder = run.directory.path / "trackers" / "tensorboard"
    (file,) = folder.glob("events.out.tfevents.*")
    assert file.stat().st_size > 0
    told = EventAccumulator(str(folder)).Reload()
    train = [event.value for event in told.Scalars("train/loss")]
    assert train == pytest.approx(losses(run), rel=1e-4)
    valid = [event.value for event in told.Scalars("eval/loss")]
    assert valid == pytest.approx(losses(run, "validation_loss"), rel=1e-4)


def test_trackers_write_into_the_run_and_stay_off_the_network(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("WANDB_DIR", "WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "TRACKIO_DIR")
    for name in names:
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    run = bench.prepare(options={"trackers": "wandb,mlflow,trackio"})
    values = argument_values(run, run.job["settings"], 4)
    assert values["report_to"] == ["wandb", "mlflow", "trackio"]
    assert os.environ["WANDB_MODE"] == "offline"
    assert Path(os.environ["WANDB_DIR"]) == run.directory.path / "trackers"
    assert os.environ["MLFLOW_TRACKING_URI"].startswith("file:")
    monkeypatch.setenv("WANDB_MODE", "online")
    argument_values(run, run.job["settings"], 4)
    assert os.environ["WANDB_MODE"] == "online"
