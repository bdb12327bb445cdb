"""Tuned models as files: each form is written for real, loaded anew and answers as it did."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.errors import ConfigurationError, NotFoundError, UnexpectedResponseError
from ftproviders.provider.number_formats import WEIGHTS_OF
from ftproviders.schema.export import ExportFormat
from ftproviders.schema.job import ModelSource, TunedModel
from ftproviders.worker import gguf_export
from ftproviders.worker.export import export
from ftproviders.worker.failures import WorkError
from ftproviders.worker.gguf_file import plain_template
from tests.local.conftest import MARKED, PLAIN, Bench, make_model, make_tokenizer

KNOBS = {"n_epochs": 8, "batch_size": 2, "learning_rate": 1e-2, "lora_r": 8}


def make_template(base: Path, target: Path) -> Path:
    """Write the tiny base model's tokenizer and shape as a GGUF file without weights of use."""
    config = json.loads((base / "config.json").read_text())
    words = json.loads((base / "tokenizer.json").read_text())["model"]
    tokens = sorted(words["vocab"], key=words["vocab"].__getitem__)
    special = ("<|pad|>", "<|im_start|>", "<|im_end|>")
    kinds = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens]
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in words["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)  # wrong on purpose: training says what ends an answer
    writer.add_pad_token_id(0)
    writer.add_chat_template("a template that training did not use")
    writer.add_tensor("output_norm.weight", np.zeros(config["hidden_size"], dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def tuned(run: Any) -> TunedModel:
    return TunedModel(
        source=ModelSource.LOCAL_PATH, name=str(run.directory.adapter), provider="local"
    )


def written(bench: Bench, model: TunedModel, form: str, weights: str | None = None) -> Any:
    folder = bench.folder / "exports" / f"{form}-{weights}"
    return bench.adapter.export(model, folder=folder, format=ExportFormat(form), weights=weights)


def order(model: Path, draft: Path, form: str = "merged", **more: Any) -> dict[str, Any]:
    """Return what the worker is told."""
    draft.mkdir()
    told = {"weights": None, "cache": str(draft.parent / "cache"), "converter": None}
    return {"model": str(model), "draft": str(draft), "format": form, **told, **more}


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_adapter_and_merged_model_answer_alike(bench: Bench, dtype: str) -> None:
    run = bench.train(dtype=dtype, **KNOBS)
    copied = written(bench, tuned(run), "adapter")
    original = run.directory.adapter / "adapter_model.safetensors"
    assert (copied.folder / original.name).read_bytes() == original.read_bytes()
    assert copied.verification["equal"] is True
    merged = written(bench, tuned(run), "merged")
    assert not [n for n in merged.files if n.startswith("adapter") or n == "merged.json"]
    check = merged.verification
    assert check["greedy_answer_equal"] is True
    assert check["kl_nats"] <= check["bounds"]["kl_nats"]
    assert check["positions"] > 20
    card = json.loads((merged.folder / "ftproviders.json").read_text())
    assert card["export"]["verification"] == dict(check)
    assert str(run.directory.path) not in (merged.folder / "ftproviders.json").read_text()
    # By another road than the check's own: the logits of plain transformers.
    ids = AutoTokenizer.from_pretrained(merged.folder)("My kettle leaks", return_tensors="pt")
    whole = AutoModelForCausalLM.from_pretrained(merged.folder, dtype=torch.float32)
    from ftproviders.worker.loading import load_adapter

    adapted = load_adapter(run.directory.adapter, bench.settings.cache)[0].float()
    with torch.inference_mode():
        one, two = whole(**ids).logits, adapted(**ids).logits
    assert one.argmax(-1).equal(two.argmax(-1))
    assert (one - two).abs().max() / two.std() < (1e-3 if dtype == "fp32" else 0.5)


def test_the_card_says_what_attention_it_was_trained_with(bench: Bench) -> None:
    """Short rows on a CPU are trained with eager attention, and asked with sdpa."""
    copied = written(bench, tuned(bench.train(**KNOBS | {"n_epochs": 1})), "adapter")
    card = json.loads((copied.folder / "ftproviders.json").read_text())
    assert (card["trained_attention"], card["attention"]) == ("eager", "sdpa")
    assert "| attn_implementation | eager |" in (copied.folder / "README.md").read_text()


def test_a_gguf_file_holds_the_tuned_model(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "with-gguf", template=MARKED)
    make_template(bench.base, bench.base / "tiny.gguf")
    adapter = bench.train(dtype="bf16", **KNOBS).directory.adapter
    for weights, name in ((None, "bf16"), ("f16", "f16"), ("q8_0", "q8_0")):
        draft = tmp_path / name
        check = export(order(adapter, draft, "gguf", weights=weights))["verification"]
        files = sorted(path.name for path in draft.iterdir())
        assert files == ["ftproviders.json", f"model-{name}.gguf"]
        assert check["weights"] == name
        assert 0 <= check["kl_nats"] <= check["bounds"]["kl_nats"]
        assert check["top1_agreement"] > 0.9
        assert name == "q8_0" or check["greedy_answer_equal"] is True
    reader = gguf.GGUFReader(tmp_path / "q8_0" / "model-q8_0.gguf")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_q.weight"] == "Q8_0"
    assert kinds["output_norm.weight"] == "F32"
    assert reader.get_field("tokenizer.ggml.eos_token_id").contents() == 2
    template = reader.get_field("tokenizer.chat_template").contents()
    assert not re.search(r"{%-?\s*(end)?generation", template)
    message = [{"role": "user", "content": "My kettle leaks"}]
    asked = make_tokenizer(template).apply_chat_template(message, tokenize=False)
    assert asked == make_tokenizer(MARKED).apply_chat_template(message, tokenize=False)


def test_marks_of_answers_become_conditions() -> None:
    assert plain_template(PLAIN) == PLAIN
    assert plain_template("a {%- generation -%} b {% endgeneration %}") == (
        "a {%- if true -%} b {% endif %}"
    )


def test_without_template_and_converter_gguf_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_export, "CONVERTER", "no-such-converter-anywhere")
    run = bench.train(n_epochs=0)
    with pytest.raises(WorkError, match="FTPROVIDERS_LOCAL_GGUF_CONVERTER") as caught:
        export(order(run.directory.adapter, bench.folder / "draft", "gguf"))
    assert caught.value.code == "no_converter"


def test_a_converter_writes_what_has_no_template(bench: Bench, tmp_path: Path) -> None:
    """The converter gets the merged model; what it writes is checked like our own."""
    script = tmp_path / "convert.py"
    template = make_template(bench.base, tmp_path / "tiny.gguf")
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        "from ftproviders.worker.gguf_file import write_gguf\n"
        "_, merged, _, out, _, kind = sys.argv\n"
        f"write_gguf(Path(merged), Path(out), template=Path({str(template)!r}), weights=kind)\n"
    )
    settings = bench.settings.model_copy(update={"gguf_converter": str(script)})
    adapter = LocalTrainingAdapter(settings)
    run = bench.train(**KNOBS)
    folder = tmp_path / "out"
    found = adapter.export(tuned(run), folder=folder, format=ExportFormat.GGUF)
    assert sorted(found.files) == ["ftproviders.json", "model-f16.gguf"]
    assert found.verification["greedy_answer_equal"] is True
    script.write_text("import sys; sys.exit('this architecture is not known')")
    with pytest.raises(ConfigurationError, match="this architecture is not known"):
        adapter.export(tuned(run), folder=tmp_path / "two", format=ExportFormat.GGUF)
    assert not (tmp_path / "two").exists()


def test_a_template_of_another_model_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.base = make_model(tmp_path / "other")
    config = bench.base / "config.json"
    text = config.read_text()
    config.write_text(text.replace('"intermediate_size": 192', '"intermediate_size": 191'))
    make_template(bench.base, bench.base / "tiny.gguf")
    config.write_text(text)
    run = bench.train(n_epochs=0)
    with pytest.raises(WorkError, match=r"feed_forward_length is 192, and 191 in tiny\.gguf"):
        export(order(run.directory.adapter, bench.folder / "draft", "gguf"))


@pytest.mark.parametrize(
    ("dtype", "weights", "advice"),
    [
        ("fp32", None, "please report it"),
        ("bf16", None, "--weights fp32"),
        ("bf16", "fp32", "please report it"),
    ],
)
def test_a_model_that_answers_otherwise_is_an_error_and_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, dtype: str, weights: str | None, advice: str
) -> None:
    """What is advised exists: a finer format where there is one."""
    run = bench.train(dtype=dtype, **KNOBS)
    from ftproviders.worker import export as program

    honest = program.merge_adapter

    def spoilt(adapter: Path, target: Path, **more: Any) -> Path:
        file = honest(adapter, target, **more) / "model.safetensors"
        tensors = load_file(file)
        tensors["model.layers.0.self_attn.q_proj.weight"] *= 1.5
        save_file(tensors, file, metadata={"format": "pt"})
        return target

    monkeypatch.setattr(program, "merge_adapter", spoilt)
    with pytest.raises(WorkError, match="does not answer like the tuned one") as caught:
        export(order(run.directory.adapter, bench.folder / "draft", weights=weights))
    assert caught.value.code == "export_differs"
    assert "Nothing was kept" in caught.value.message
    assert advice in caught.value.message


def test_another_template_in_the_export_is_an_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.train(**KNOBS)
    from ftproviders.worker import export as program

    honest = program.merge_adapter

    def other(adapter: Path, target: Path, **more: Any) -> Path:
        honest(adapter, target, **more)
        make_tokenizer(PLAIN.replace("'\n'", "' '")).save_pretrained(target)
        return target

    monkeypatch.setattr(program, "merge_adapter", other)
    with pytest.raises(WorkError, match="tokenizer or template differs"):
        export(order(run.directory.adapter, bench.folder / "draft"))


def test_a_worker_that_dies_or_finds_a_difference_leaves_no_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ftproviders.adapters.local import exporting

    run = bench.train(n_epochs=0)
    folder = tmp_path / "exports" / "one"
    for body, kind, words in (
        ("import os; os.kill(os.getpid(), 9)", UnexpectedResponseError, "ended without an answer"),
        (
            'print(\'{"error": "it says hello", "code": "export_differs"}\')',
            UnexpectedResponseError,
            "it says hello",
        ),
    ):
        command = [sys.executable, "-c", body]
        monkeypatch.setattr(exporting.process, "python_command", lambda _m, c=command: c)
        with pytest.raises(kind, match=words):
            bench.adapter.export(tuned(run), folder=folder, format=ExportFormat.MERGED)
        assert list(folder.parent.iterdir()) == []


def test_a_full_disk_names_the_folder_of_the_export(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ftproviders.adapters.local import exporting

    run = bench.train(n_epochs=0)
    honest = exporting.process.python_command
    # The system refuses the worker files of more than some 100 kB, as a full disk would.
    limit = ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh"]
    monkeypatch.setattr(exporting.process, "python_command", lambda m: [*limit, *honest(m)])
    folder = tmp_path / "exports" / "one"
    with pytest.raises(ConfigurationError, match=f"disk is full: .* {folder}") as caught:
        bench.adapter.export(tuned(run), folder=folder, format=ExportFormat.MERGED)
    assert "another disk" in caught.value.hint
    assert "FTPROVIDERS_HOME" not in str(caught.value)
    assert list(folder.parent.iterdir()) == []


def test_a_whole_model_is_copied_and_has_no_adapter(bench: Bench, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(bench.base, whole)
    (whole / "optimizer.pt").write_bytes(b"a state that is no model")
    model = TunedModel(source=ModelSource.LOCAL_PATH, name=str(whole), provider="local")
    found = written(bench, model, "merged")
    assert (found.folder / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()
    assert "optimizer.pt" not in found.files
    with pytest.raises(ConfigurationError, match="there is no adapter to write"):
        written(bench, model, "adapter")
    AutoModelForCausalLM.from_pretrained(found.folder)


def test_what_cannot_be_is_said(bench: Bench, tmp_path: Path) -> None:
    run = bench.train(n_epochs=0)
    gone = tuned(run).model_copy(update={"name": str(tmp_path / "gone")})
    with pytest.raises(NotFoundError, match="not on this machine any more"):
        written(bench, gone, "adapter")
    with pytest.raises(ConfigurationError, match="merged is not written in 'q8_0'") as caught:
        written(bench, tuned(run), "merged", "q8_0")
    assert "bf16, fp32" in caught.value.hint
    with pytest.raises(ConfigurationError, match="cannot be chosen for adapter"):
        written(bench, tuned(run), "adapter", "bf16")
    assert WEIGHTS_OF[ExportFormat.GGUF] == gguf_export.WEIGHTS
    with pytest.raises(WorkError, match="not written in 'q2_k'"):
        export(order(run.directory.adapter, tmp_path / "draft", "gguf", weights="q2_k"))
    empty = tmp_path / "empty"
    empty.mkdir()
    model = gone.model_copy(update={"name": str(empty)})
    with pytest.raises(ConfigurationError, match="neither an adapter"):
        written(bench, model, "adapter")
