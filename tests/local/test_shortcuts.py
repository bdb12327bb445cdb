"""Ways around needless work in a training step: each gives the loss and gradients of the usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import Linear
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from ftproviders.worker.attention import choose_attention
from ftproviders.worker.encoding import IGNORED, EncodedRow
from ftproviders.worker.fused_lora import fuse_adapters
from ftproviders.worker.shared_prefix import can_share, common_beginning
from ftproviders.worker.token_loss import summed_cross_entropy
from ftproviders.worker.trainer import collate, label_loss

SMALL: Mapping[str, Any] = {
    "vocab_size": 211,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}


def make(config: Any, *, dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> Any:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).to(dtype)
    return model.train()


def adapt(model: Any, **lora: Any) -> Any:
    settings = {"r": 4, "lora_alpha": 12, "target_modules": "all-linear"} | lora
    torch.manual_seed(4)
    tuned = get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", **settings), autocast_adapter_dtype=False
    )
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide most of what can go wrong
            torch.nn.init.normal_(weight, std=0.05)
    return tuned.train()


def rows(beginning: int = 20) -> list[EncodedRow]:
    """Rows of different lengths with a common beginning, one of them with a label right after."""
    chance = torch.Generator().manual_seed(5)

    def tokens(count: int) -> list[int]:
        return torch.randint(1, 211, (count,), generator=chance).tolist()

    start, found = tokens(beginning), []
    for own, learned in ((9, 9), (14, 5), (11, 3), (30, 12)):
        ids = start + tokens(own)
        labels = [IGNORED] * (len(ids) - learned) + ids[len(ids) - learned :]
        found.append(EncodedRow(input_ids=ids, labels=labels, cut=False))
    return found


def outcome(model: Any, batch: dict[str, torch.Tensor], **how: Any) -> torch.Tensor:
    """Return the loss and all gradients as one vector."""
    model.zero_grad()
    loss = label_loss(model, batch, **how)
    loss.backward()
    found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return torch.cat([loss.detach().flatten(), *found])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "config",
    [LlamaConfig(**SMALL), Qwen2Config(**SMALL, use_sliding_window=False), Qwen3Config(**SMALL)],
    ids=["llama", "qwen2", "qwen3"],
)
def test_a_common_beginning_computed_once_changes_nothing(config: Any, attention: str) -> None:
    model = adapt(make(config, attention=attention))
    assert can_share(model.get_base_model())
    batch = collate(rows(), 0)
    assert common_beginning(batch["input_ids"], batch["labels"]) == 19
    usual, short = outcome(model, batch), outcome(model, batch, shortcuts=True)
    torch.testing.assert_close(short, usual, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shortcuts", [False, True])
def test_logits_are_computed_only_where_a_row_has_a_label(shortcuts: bool) -> None:
    model = adapt(make(LlamaConfig(**SMALL)))
    batch = collate(rows(), 0)
    projected: list[int] = []
    head = model.get_base_model().lm_head
    head.register_forward_hook(lambda _m, inputs, _o: projected.append(inputs[0].shape[1]))
    outcome(model, batch, shortcuts=shortcuts)
    learned = int((batch["labels"] != IGNORED).any(dim=0).sum())
    assert projected == [learned]
    assert learned < batch["labels"].shape[1] - 19, "fewer than those behind the beginning"


def test_without_a_common_beginning_only_the_mask_is_left_out() -> None:
    model = make(LlamaConfig(**SMALL))
    batch = collate(rows(beginning=1), 0)
    assert common_beginning(batch["input_ids"], batch["labels"]) == 0
    torch.testing.assert_close(
        outcome(model, batch, shortcuts=True), outcome(model, batch), rtol=1e-4, atol=1e-5
    )


def test_a_beginning_is_shared_only_where_that_is_exact() -> None:
    assert can_share(make(LlamaConfig(**SMALL)))
    recomputing = make(LlamaConfig(**SMALL))
    recomputing.gradient_checkpointing_enable({"use_reentrant": False})
    assert not can_share(recomputing)
    assert not can_share(make(MistralConfig(**SMALL, sliding_window=16)))
    assert not can_share(make(Gemma2Config(**SMALL, sliding_window=16), attention="eager"))
    assert not can_share(make(LlamaConfig(**SMALL, attention_dropout=0.1)))
    dropping = GPT2Config(vocab_size=211, n_embd=48, n_layer=1, n_head=4)
    assert not can_share(make(dropping))
    assert not can_share(adapt(make(LlamaConfig(**SMALL)), lora_dropout=0.1).get_base_model())


def test_what_is_shared_predicts_no_label_and_leaves_something_of_every_row() -> None:
    ids = torch.tensor([[5, 6, 7, 8, 9, 0], [5, 6, 7, 8, 9, 4]])
    labels = torch.tensor([[IGNORED] * 4 + [9, IGNORED], [IGNORED] * 5 + [4]])
    assert common_beginning(ids, labels) == 3
    assert common_beginning(ids, torch.full_like(labels, IGNORED)) == 0
    assert common_beginning(ids[:1], labels[:1]) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_adapters_compute_what_peft_does(dtype: torch.dtype) -> None:
    model = adapt(make(Qwen2Config(**SMALL), dtype=dtype))  # has biases
    batch = collate(rows(), 0)
    usual = outcome(model, batch)
    assert fuse_adapters(model) == 14
    fused = outcome(model, batch)
    if dtype == torch.float32:
        torch.testing.assert_close(fused, usual, rtol=1e-4, atol=1e-5)
    else:
        assert (fused - usual).norm() < 0.03 * usual.norm()


def test_fused_adapters_can_be_switched_off_and_merged() -> None:
    model = adapt(make(LlamaConfig(**SMALL))).eval()
    ids = torch.arange(1, 9)[None]
    with torch.no_grad():
        usual = model(ids).logits
        with model.disable_adapter():
            base = model(ids).logits
        fuse_adapters(model)
        torch.testing.assert_close(model(ids).logits, usual, rtol=1e-4, atol=1e-5)
        with model.disable_adapter():
            torch.testing.assert_close(model(ids).logits, base)
        merged = model.merge_and_unload()
        torch.testing.assert_close(merged(ids).logits, usual, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(base, usual)


@pytest.mark.parametrize(
    "lora", [{"use_dora": True}, {"lora_dropout": 0.1}, {"lora_bias": True}],
    ids=["dora", "dropout", "bias"],
)  # fmt: skip
def test_adapters_that_are_not_plain_stay_with_peft(lora: dict[str, Any]) -> None:
    model = adapt(make(LlamaConfig(**SMALL)), **lora)
    assert fuse_adapters(model) == 0
    assert all("forward" not in vars(m) for m in model.modules() if isinstance(m, Linear))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cross_entropy_in_pieces_is_cross_entropy(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftproviders.worker.token_loss._PIECE_ELEMENTS", 300)
    torch.manual_seed(0)
    logits = (torch.randn(7, 100) * 4).to(dtype).requires_grad_()
    targets = torch.tensor([3, IGNORED, 99, 0, IGNORED, 50, 7])
    usual = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
    (wanted,) = torch.autograd.grad(usual / 5, logits)
    ours = summed_cross_entropy(logits, targets)
    (found,) = torch.autograd.grad(ours / 5, logits)
    torch.testing.assert_close(ours, usual)
    tolerance = {"rtol": 0.02, "atol": 1e-4} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(found, wanted, **tolerance)
    with torch.no_grad():
        torch.testing.assert_close(summed_cross_entropy(logits, targets), usual)


def test_no_target_at_all_is_a_loss_of_zero_with_gradients() -> None:
    logits = torch.randn(3, 10, requires_grad=True)
    summed_cross_entropy(logits, torch.full((3,), IGNORED)).backward()
    assert logits.grad is not None
    assert not logits.grad.any()
    empty = torch.randn(0, 10, requires_grad=True)
    loss = summed_cross_entropy(empty, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0


# --- attention -----------------------------------------------------------------------------------


SETTINGS: Mapping[str, Any] = {"attn_implementation": "auto", "packing": False}


def test_short_rows_on_a_cpu_are_learned_with_eager_attention() -> None:
    model = make(LlamaConfig(**SMALL))
    batch = collate(rows(), 0)
    expected = outcome(model, batch)

    assert choose_attention(model, SETTINGS, rows()) == "eager"

    assert model.config._attn_implementation == "eager"
    torch.testing.assert_close(outcome(model, batch), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "beginning"),
    [
        pytest.param({}, 120, id="a row of more than 128 tokens"),
        pytest.param({"packing": True}, 20, id="packed"),
        pytest.param({"attn_implementation": "sdpa"}, 20, id="stated"),
    ],
)
def test_other_rows_stay_with_sdpa(settings: Mapping[str, Any], beginning: int) -> None:
    model = make(LlamaConfig(**SMALL))

    assert choose_attention(model, {**SETTINGS, **settings}, rows(beginning)) == "sdpa"

    assert model.config._attn_implementation == "sdpa"
