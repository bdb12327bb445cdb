"""Number formats of merged models, and what an export tells its readers."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file

from ftproviders.worker.export import export
from ftproviders.worker.export_check import bounds_for
from ftproviders.worker.loading import load_adapter
from ftproviders.worker.modelcard import ALIAS_HUB_NAME
from tests.local.conftest import Bench
from tests.local.test_export import KNOBS, order


def kinds(folder: Path) -> set[torch.dtype]:
    return {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()}


def installed() -> str:
    try:
        return version("ftproviders")
    except PackageNotFoundError:
        return "from its sources"


def rename_base(adapter: Path, name: str) -> None:
    file = adapter / "ftproviders.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model": name}))


@pytest.mark.parametrize("tuning", ["lora", "qlora"])
def test_an_ordinary_bf16_adapter_is_merged_in_both_formats(bench: Bench, tuning: str) -> None:
    run = bench.train(dtype="bf16", options={"tuning": tuning}, **KNOBS)
    for weights, kind in ((None, torch.bfloat16), ("fp32", torch.float32)):
        draft = bench.folder / f"draft-{weights}"
        found = export(order(run.directory.adapter, draft, weights=weights))["verification"]
        assert kinds(draft) == {kind}
        assert json.loads((draft / "config.json").read_text())["dtype"] == str(kind)[6:]
        assert found["weights"] == (weights or "bf16")
        assert found["kl_nats"] <= bounds_for(found["weights"]).kl_nats
    # fp32 keeps the sum: every weight is base and update added up, with nothing rounded off.
    tuned = load_adapter(run.directory.adapter, bench.settings.cache)[0].float()
    layer = tuned.base_model.model.model.layers[1].mlp.up_proj
    wanted = layer.base_layer.weight + layer.get_delta_weight("default")
    made = load_file(draft / "model.safetensors")["model.layers.1.mlp.up_proj.weight"]
    torch.testing.assert_close(made, wanted.detach(), atol=1e-7, rtol=1e-6)
    assert not made.bfloat16().float().equal(made)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_model_tuned_in_fp32_is_written_in_bf16(bench: Bench, tuning: str) -> None:
    knobs = KNOBS if tuning == "lora" else {"n_epochs": 4, "learning_rate": 1e-3}
    run = bench.train(dtype="fp32", options={"tuning": tuning}, **knobs)
    draft = bench.folder / "draft"
    found = export(order(run.directory.adapter, draft, weights="bf16"))["verification"]
    assert kinds(draft) == {torch.bfloat16}
    assert 0 < found["kl_nats"] <= found["bounds"]["kl_nats"]
    assert str(bench.folder) not in (draft / "config.json").read_text()


def test_an_adapter_names_a_base_model_that_others_can_find(bench: Bench) -> None:
    adapter = bench.train(n_epochs=0).directory.adapter
    own = json.loads((adapter / "adapter_config.json").read_text())
    for name, named in (
        ("smollm2-135m", ALIAS_HUB_NAME),
        ("some-lab/some-model", "some-lab/some-model"),
        (str(bench.base), own["base_model_name_or_path"]),
    ):
        rename_base(adapter, name)
        draft = bench.folder / named.replace("/", "-")
        export(order(adapter, draft, "adapter"))
        config = json.loads((draft / "adapter_config.json").read_text())
        assert config == {**own, "base_model_name_or_path": named}
        card = (draft / "README.md").read_text()
        assert str(bench.folder) not in card
        assert str(bench.base) not in card
        assert ("Q4_1" in card) is (name == "smollm2-135m")
        assert ("a model in a folder" in card) is (name == str(bench.base))
    # The last one is whole as it stands: PEFT finds the base model and loads it.
    AutoPeftModelForCausalLM.from_pretrained(draft)


@pytest.mark.parametrize("form", ["adapter", "merged"])
def test_the_card_says_how_the_model_was_made(bench: Bench, form: str) -> None:
    run = bench.train(**KNOBS)
    draft = bench.folder / "draft"
    export(order(run.directory.adapter, draft, form))
    card = (draft / "README.md").read_text()
    job: dict[str, Any] = run.directory.job()
    assert job["files"][0]["sha256"] in card
    for line in ("| method | supervised |", "| learning_rate | 0.01 |", "| lora_r | 8 |"):
        assert line in card
    assert "As the base model's" in card
    assert f"Made with ftproviders {installed()};" in card
    assert ("PeftModel.from_pretrained" in card) is (form == "adapter")
    assert "More Information Needed" not in card
    for place in (bench.folder, bench.base, Path.home()):
        assert str(place) not in card
