"""Local training of ours beside a bare loop, ``transformers.Trainer`` and TRL, on this machine.

    python -m tests.benchmarks.bench_local [--pairs 5] [--steps 25] [--epochs 3] [--tables AB]

Table A: equal model, rows, order, adapter, data types, batch, schedule and number of steps.
Table B: our defaults against TRL with the fastest settings that its documentation has for a CPU.

Every training is a process of its own; a round runs each peer once, every other round in the
opposite order, so that whatever else the machine does falls on all of them alike. Ratios are taken
within a round. ``tokens/s`` is real tokens, without padding, over the wall time from the first
forward pass to the end of the last optimizer step. Prints Markdown; exits 1 when a bar is missed,
and shows a profile beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftproviders.config import Config
from ftproviders.worker import process, smollm2
from tests.benchmarks.local import ours, rows, table
from tests.benchmarks.local.table import OURS, Bar
from tests.benchmarks.local.task import Task

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = ROOT / "examples/data/support_intents/train.jsonl"
HELD_OUT_ROWS = 50

BARE, HF, TRL = "bare loop", "transformers.Trainer", "TRL SFTTrainer"

TRL_FASTEST: Mapping[str, Any] = {
    "train_sampling_strategy": "group_by_length",
    "attention": "eager",
}
"""The winner of ``--scan``."""

TRL_CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "sdpa": {},
    "group_by_length": {"train_sampling_strategy": "group_by_length"},
    "group_by_length, eager": {"train_sampling_strategy": "group_by_length", "attention": "eager"},
    "group_by_length, autocast": {"train_sampling_strategy": "group_by_length", "bf16": True},
    "group_by_length, fp32 adapter": {
        "train_sampling_strategy": "group_by_length",
        "adapter_dtype": "auto",
    },
    "group_by_length, batch 16": {
        "train_sampling_strategy": "group_by_length",
        "per_device_train_batch_size": 16,
    },
    "group_by_length, batch 32": {
        "train_sampling_strategy": "group_by_length",
        "per_device_train_batch_size": 32,
    },
    "packing 256, batch 2": {
        "packing": True,
        "max_length": 256,
        "per_device_train_batch_size": 2,
    },
    "packing 512, batch 1": {"packing": True, "max_length": 512, "per_device_train_batch_size": 1},
    "packing 512, batch 2": {"packing": True, "max_length": 512, "per_device_train_batch_size": 2},
    "padding_free": {"padding_free": True, "max_length": None},
}
"""Combinations of settings from TRL's page on speed that run on a CPU, for ``--scan``."""

SPEED, START, LOSS = "tokens_per_second", "first_step_seconds", "final_loss"
BARS_A = (
    Bar(peer=TRL, number=SPEED, least=1.2),
    Bar(peer=HF, number=SPEED, least=1.0),
    *(Bar(peer=peer, number=START, most=1.0) for peer in (BARE, HF, TRL)),
    *(Bar(peer=peer, number=LOSS, least=0.98, most=1.02) for peer in (BARE, HF, TRL)),
)
BARS_B = (
    Bar(peer=TRL, number=SPEED, least=1.4),
    Bar(peer=TRL, number=START, most=1.0),
    Bar(peer=TRL, number="held_out_loss", most=1.02),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured with."""

    folder: Path
    model: Path
    template: Path
    training: Path
    held_out: Path
    pairs: int
    steps: int
    epochs: int
    dtype: str


def equal_settings(case: Case) -> dict[str, Task]:
    """Return the tasks of table A: one step after the other over the same rows."""
    options = {"dtype": case.dtype, "checkpoints": 0, "attn_implementation": "sdpa"}
    batch = Task.batch_size
    lines = rows.read(case.training)
    epochs = -(-case.steps * batch // len(lines))
    order, lengths = rows.visiting_order(
        case.training,
        model=case.model,
        template=case.template.read_text(encoding="utf-8"),
        batch_size=batch,
        epochs=epochs,
    )
    order = order[: case.steps * batch]
    ordered = rows.write(case.folder / "ordered.jsonl", [lines[index] for index in order])
    task = Task(
        peer="bare",
        model=str(case.model),
        template=str(case.template),
        rows=str(ordered),
        tokens=sum(lengths[index] for index in order),
        steps=case.steps,
        epochs=1,
        dtype=case.dtype,
        output=str(case.folder),
    )
    stated = {"max_steps": case.steps, "options": options}
    return {
        # Ours sorts the rows itself, which is how the order came about.
        OURS: replace(task, peer="ours", rows=str(case.training), epochs=epochs, extra=stated),
        BARE: task,
        HF: replace(task, peer="hf_trainer"),
        TRL: replace(task, peer="trl_sft"),
    }


def defaults(case: Case, trl: Mapping[str, Any] = TRL_FASTEST) -> dict[str, Task]:
    """Return the tasks of table B: the same rows and epochs, everything else as each likes it."""
    _, lengths = rows.visiting_order(
        case.training,
        model=case.model,
        template=case.template.read_text(encoding="utf-8"),
        batch_size=1,
        epochs=1,
    )
    task = Task(
        peer="trl_sft",
        model=str(case.model),
        template=str(case.template),
        rows=str(case.training),
        tokens=sum(lengths) * case.epochs,
        steps=None,
        epochs=case.epochs,
        dtype=case.dtype,
        output=str(case.folder),
    )
    return {OURS: replace(task, peer="ours"), TRL: replace(task, extra=dict(trl))}


def run(task: Task) -> dict[str, Any]:
    """Train once and return what the peer printed."""
    file = task.write()
    if task.peer == "ours":
        ours.prepare(task)
    return dict(_python(f"tests.benchmarks.local.{task.peer}", file))


def _python(module: str, argument: Path) -> Any:
    """Run a module in a process of its own and return the JSON of its last line."""
    # All have the environment that our workers get: threads that wait do not spin. Nobody asks the
    # Hub for anything.
    ended = subprocess.run(
        [sys.executable, "-m", module, str(argument)],
        cwd=ROOT,
        env=process.environment() | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if ended.returncode != 0:
        raise SystemExit(f"{module} failed:\n{ended.stderr[-4000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def judge(case: Case, lines: Sequence[dict[str, Any]]) -> float:
    """Add ``held_out_loss`` to every line and return that of the base model alone."""
    file = case.folder / "judge.json"
    content = {
        "model": str(case.model),
        "template": str(case.template),
        "rows": str(case.held_out),
        "dtype": case.dtype,
        "adapters": [line["adapter"] for line in lines],
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    base, *losses = _python("tests.benchmarks.local.judge", file)
    for line, loss in zip(lines, losses, strict=True):
        line["held_out_loss"] = loss
    return float(base)


def measure(case: Case, name: str, tasks: Mapping[str, Task]) -> list[dict[str, dict[str, Any]]]:
    """Run every task `case.pairs` times, interleaved."""
    rounds = []
    for number in range(case.pairs):
        peers = list(tasks) if number % 2 == 0 else list(reversed(tasks))
        found = {}
        for peer in peers:
            output = case.folder / f"{name}-{number}-{tasks[peer].peer}"
            found[peer] = run(replace(tasks[peer], output=str(output)))
            _say(
                f"{name}, round {number + 1} of {case.pairs}, {peer}: "
                f"{found[peer][SPEED]:.0f} tokens/s",
            )
        rounds.append({peer: found[peer] for peer in tasks})
    return rounds


def profile(case: Case, name: str, tasks: Mapping[str, Task]) -> str:
    """Return in which operations the peers spend their time."""
    found = {
        peer: run(replace(task, output=str(case.folder / f"{name}-p-{task.peer}"), profile=True))
        for peer, task in tasks.items()
    }
    return table.operations(found)


def show(
    case: Case, name: str, tasks: Mapping[str, Task], bars: Sequence[Bar], *, profiled: str
) -> dict[str, Any]:
    """Measure one table and print it."""
    rounds = measure(case, name, tasks)
    base = judge(case, [line for found in rounds for line in found.values()])
    text, missed = table.verdicts(rounds, bars)
    print(f"\n### Table {name}, {case.pairs} rounds\n\n{table.peers(rounds)}\n")
    print(f"Held-out loss of the base model alone: {base:.4f}.\n\n{text}")
    slow = {bar.peer for bar in missed if bar.number == SPEED}
    if profiled == "always" or (slow and profiled == "missed"):
        every = profiled == "always"
        compared = {peer: tasks[peer] for peer in tasks if every or peer in (OURS, *slow)}
        print(f"\n{profile(case, name, compared)}")
    return {"rounds": rounds, "base_loss": base, "missed": [vars(bar) for bar in missed]}


def scan(case: Case) -> None:
    """Try TRL's settings one after the other, `case.pairs` times, and print their speed."""
    tasks = {name: defaults(case, found)[TRL] for name, found in TRL_CANDIDATES.items()}
    for number in range(case.pairs):
        lines = []
        for position, (name, task) in enumerate(tasks.items()):
            output = str(case.folder / f"scan-{number}-{position}")
            lines.append(run(replace(task, output=output)) | {"name": name})
        judge(case, lines)
        for line in lines:
            print(
                f"{line['name']:32} {line[SPEED]:6.0f} tokens/s, "
                f"{_per_work(line):6.0f} a CPU second, {line['steps']} steps, "
                f"held-out loss {line['held_out_loss']:.4f}",
                flush=True,
            )


def _per_work(line: Mapping[str, Any]) -> float:
    """Return tokens per second of processor time, without the first step."""
    seconds = line["step_work_ms"] * line["steps"] / 1e3
    return float(line["tokens"] / seconds) if seconds else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5, help="rounds")
    parser.add_argument("--steps", type=int, default=25, help="optimizer steps in table A")
    parser.add_argument("--epochs", type=int, default=3, help="epochs in table B")
    parser.add_argument("--tables", default="AB", help="A, B or AB")
    parser.add_argument("--model", type=Path, help="folder of another model than smollm2-135m")
    parser.add_argument("--template", type=Path, default=HERE / "local/smollm2.jinja")
    parser.add_argument("--dtype", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--rows", type=int, help="train on this many rows only")
    parser.add_argument(
        "--profile", choices=("missed", "always", "never"), default="missed", help="show profiles"
    )
    parser.add_argument("--scan", action="store_true", help="look for TRL's fastest settings")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-local-") as scratch:
        case = _case(chosen, Path(scratch))
        if chosen.scan:
            scan(case)
            return 0
        found = {}
        if "A" in chosen.tables:
            found["A"] = show(case, "A", equal_settings(case), BARS_A, profiled=chosen.profile)
        if "B" in chosen.tables:
            found["B"] = show(case, "B", defaults(case), BARS_B, profiled=chosen.profile)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if any(part["missed"] for part in found.values()) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _case(chosen: argparse.Namespace, folder: Path) -> Case:
    lines = rows.read(DATA)
    held_out = rows.held_out(lines, HELD_OUT_ROWS)
    return Case(
        folder=folder,
        model=(chosen.model or smollm2.prepare(Config.load().cache, _say)).resolve(),
        template=chosen.template.resolve(),
        training=rows.write(folder / "training.jsonl", lines[: chosen.rows]),
        held_out=rows.write(folder / "held-out.jsonl", held_out),
        pairs=chosen.pairs,
        steps=chosen.steps,
        epochs=chosen.epochs,
        dtype=chosen.dtype,
    )


if __name__ == "__main__":
    sys.exit(main())
