"""Real training, on a model of some hundred thousand random weights that is made here."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ftproviders.adapters.local.adapter import LocalTrainingAdapter
from ftproviders.adapters.local.options import LocalOptions, LocalSettings
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobSpec
from ftproviders.worker.lifecycle import Run
from ftproviders.worker.rundir import RunDirectory

HERE = Path(__file__).parent

PLAIN = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML without marks, as most models bring it."""

MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The same text, with marks."""

ANSWERS: Mapping[str, str] = {
    "My kettle leaks": "[BROKEN] repair booked",
    "Where is my parcel": "[DELIVERY] tracing it",
    "I want my money back": "[REFUND] refund opened",
    "What a lovely clock": "[PRAISE] glad you like it",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
            # torch and its family warn about deprecations in each other; none is ours to change.
            item.add_marker(pytest.mark.filterwarnings("default"))


def chat(question: str, answer: str, **answer_facts: Any) -> dict[str, Any]:
    told = {"role": "assistant", "content": answer, **answer_facts}
    return {"messages": [{"role": "user", "content": question}, told]}


def make_tokenizer(template: str | None = PLAIN) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.train_from_iterator(
        [*ANSWERS, *ANSWERS.values()],
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<|pad|>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        chat_template=template,
    )


def make_model(folder: Path, template: str | None = PLAIN) -> Path:
    tokenizer = make_tokenizer(template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return make_model(tmp_path_factory.mktemp("base"))


class Bench:
    """A provider over folders of its own, and trainings in this process or in a worker."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        self.base = base
        self.settings = LocalSettings(home=folder / "home", cache=folder / "cache")
        self.adapter = LocalTrainingAdapter(self.settings)
        self.rows: Sequence[Mapping[str, Any]] = [chat(q, a) for q, a in ANSWERS.items()]
        self.validation: Sequence[Mapping[str, Any]] = []
        self.method = "supervised"

    def _upload(self, name: str, rows: Sequence[Mapping[str, Any]], purpose: str) -> FileRef:
        path = self.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        file = PreparedFile(path=path, name=path.name, sha256=digest, bytes=len(content))
        return self.adapter.upload(file, purpose=purpose, submission_id="ft1")

    def request(self, knobs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``create``."""
        files = [self._upload("train", self.rows, "training")]
        if self.validation:
            files.append(self._upload("valid", self.validation, "validation"))
        seed = {"seed": knobs["seed"]} if "seed" in knobs else {}
        spec = JobSpec(
            provider="local",
            base_model=str(self.base),
            training_file="train.jsonl",
            validation_file="valid.jsonl" if self.validation else None,
            method=self.method,
            hyperparameters={k: v for k, v in knobs.items() if k != "seed"},
            **seed,
        )
        return {"spec": spec, "options": LocalOptions(**options), "files": files}

    def prepare(self, name: str = "ft1", *, dtype: str = "fp32", **knobs: Any) -> Run:
        """Make a run without a worker; `dtype` is fp32 so that numbers can be compared."""
        asked = self.request(knobs, {"dtype": dtype} | knobs.pop("options", {}))
        asked["submission_id"] = name
        document = self.adapter._document(**asked)
        prepared = self.adapter._prepare(document, asked["files"], name)
        final = prepared.path.with_name(name)
        prepared.path.rename(final)
        return Run(RunDirectory(final))

    def train(self, name: str = "ft1", **knobs: Any) -> Run:
        """Train in this process."""
        from ftproviders.worker.training import train

        run = self.prepare(name, **knobs)
        run.directory.write_status(dict(train(run)))
        return run

    def create(self, name: str = "ft1", *, dtype: str = "auto", **knobs: Any) -> JobRef:
        """Train in a worker, as users do."""
        asked = self.request(knobs, {"dtype": dtype})
        return self.adapter.create(**asked, submission_id=name)

    def ended(self, ref: JobRef) -> JobSnapshot:
        end = time.monotonic() + 240
        while not (snapshot := self.adapter.retrieve(ref)).status.terminal:
            assert time.monotonic() < end, (
                self.adapter.runs.folder / ref.id / "worker.log"
            ).read_text()
            assert snapshot.status.value != "paused", snapshot.error
            time.sleep(0.05)
        return snapshot


def losses(run: Run, name: str = "train_loss") -> list[float]:
    return [e["metrics"][name] for e in run.directory.events() if name in e["metrics"]]


@pytest.fixture
def bench(tmp_path: Path, base: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, base)
    yield bench
    bench.adapter.close()
