"""Merging an adapter into its base model, and the probe that both must read alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import load_adapter, load_tokenizer
from ftproviders.worker.merge import MERGED_CARD, merge_adapter
from ftproviders.worker.probe import difference, make_probe
from tests.local.conftest import ANSWERS, Bench, make_model, make_tokenizer

STEPS = {"n_epochs": 8, "batch_size": 4, "learning_rate": 2e-2, "lora_r": 8}


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits


def test_merged_model_computes_what_the_adapter_computes(bench: Bench, tmp_path: Path) -> None:
    adapter = bench.train(**STEPS).directory.adapter
    target = tmp_path / "merged" / "one"
    said: list[str] = []
    assert merge_adapter(adapter, target, cache=bench.settings.cache, report=said.append) == target

    tuned, tokenizer = load_adapter(adapter, bench.settings.cache)
    merged = AutoModelForCausalLM.from_pretrained(target)
    base = AutoModelForCausalLM.from_pretrained(bench.base)
    for question in ANSWERS:
        ids = tokenizer(question)["input_ids"]
        wanted = logits(tuned, ids)
        torch.testing.assert_close(logits(merged, ids), wanted, atol=1e-4, rtol=1e-4)
        assert (logits(base, ids) - wanted).abs().max() > 0.1
    there = {file.name for file in target.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= there
    assert str(tmp_path) not in (target / "config.json").read_text()
    own = make_probe(AutoTokenizer.from_pretrained(target))
    assert own == make_probe(load_tokenizer(adapter))
    assert [path.name for path in target.parent.iterdir() if "new-" in path.name] == []

    # The same adapter: used again. A changed one: merged again.
    moment = (target / MERGED_CARD).stat().st_mtime_ns
    merge_adapter(adapter, target, cache=bench.settings.cache, report=said.append)
    assert (target / MERGED_CARD).stat().st_mtime_ns == moment
    assert "still good" in said[-1]
    (adapter / "note.txt").write_text("changed")
    merge_adapter(adapter, target, cache=bench.settings.cache, report=said.append)
    assert (target / MERGED_CARD).stat().st_mtime_ns != moment


def test_what_is_there_already_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    adapter = bench.train(n_epochs=0).directory.adapter
    target = tmp_path / "mine"
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkError, match="left alone"):
        merge_adapter(adapter, target, cache=bench.settings.cache)
    assert [path.name for path in target.iterdir()] == ["thesis.txt"]
    assert merge_adapter(bench.base, tmp_path / "x", cache=bench.settings.cache) == bench.base
    with pytest.raises(WorkError, match="neither an adapter"):
        merge_adapter(target, tmp_path / "x", cache=bench.settings.cache)


def test_adapter_whose_base_model_is_gone_leaves_nothing_behind(
    bench: Bench, tmp_path: Path
) -> None:
    bench.base = make_model(tmp_path / "own")
    adapter = bench.train(n_epochs=0).directory.adapter
    bench.base.rename(tmp_path / "elsewhere")
    with pytest.raises(WorkError, match="is not a folder"):
        merge_adapter(adapter, tmp_path / "merged" / "one", cache=bench.settings.cache)
    assert [p.name for p in (tmp_path / "merged").iterdir()] == [".one.lock"]


def test_probe_takes_what_the_template_takes() -> None:
    whole = make_probe(make_tokenizer())
    assert [message["role"] for message in whole["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert whole["text"].endswith("<|im_start|>assistant\n")
    assert whole == json.loads(json.dumps(whole))
    assert not whole["dated"]
    shy = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}x"
    assert len(make_probe(make_tokenizer(shy))["messages"]) == 3
    with pytest.raises(WorkError, match="refuses a question"):
        make_probe(make_tokenizer("{{ raise_exception('never') }}"))
    assert make_probe(make_tokenizer("{{ strftime_now('%d %b %Y') }}"))["dated"]


def test_difference_shows_both_sides() -> None:
    probe = {"ids": [1, 2, 3, 4], "text": "a<b>"}
    assert difference(probe, [1, 2, 3, 4], "a<b>") is None
    shown = difference(probe, [1, 2, 9, 4], "a<c>")
    assert shown is not None
    assert "position 2" in shown
    assert "[1, 2, 3, 4]" in shown
    assert "[1, 2, 9, 4]" in shown
    assert "'a<b>'" in shown
    assert "'a<c>'" in shown
    shorter = difference(probe, [1, 2], "a")
    assert shorter is not None
    assert "position 2" in shorter
