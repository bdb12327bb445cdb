"""What only whole files, two files or a model show, looked at by both engines."""

from __future__ import annotations

import gzip
import importlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.data_properties.good_rows import Json
from tests.data_properties.native_rows import RARE
from tests.data_properties.run import ALL, HAS_NATIVE, PROFILE, Run, engine
from tests.unit.data.test_template import (
    CHATML,
    DEAF,
    FORGETFUL,
    MARKED,
    STRICT,
    TOOLS,
    save_model,
)

FOREIGN: tuple[Callable[[list[Json]], bytes], ...] = (
    lambda rows: json.dumps(rows).encode(),
    lambda rows: "".join(json.dumps(row, indent=2) for row in rows).encode(),
    lambda rows: gzip.compress(json.dumps(rows).encode(), mtime=0),
    lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode("utf-16"),
    lambda rows: b"prompt,completion\n" + b"hi there,yo\n" * len(rows),
)
"""Ways to write rows that are no JSON Lines."""

_TURNS = ("user", "assistant", "user", "assistant")


def look_at_other_files(run: Run, count: int) -> None:
    """Look at files without rows, files that are no JSON Lines, and rows written all alike."""
    chance = run.chance
    for _ in range(count):
        run.compare(
            b"".join(chance.choices((b"\n", b" \n", b"\t\n", b"\r\n"), k=chance.randrange(9)))
        )
        rows = [run.good.question() for _ in range(chance.choice((1, 2, 9)))]
        run.compare(chance.choice(FOREIGN)(rows))
        run.compare(_alike(chance))
    for line in RARE.values():
        run.compare(json.dumps(run.good.question()).encode() + b"\n" + line)


def _alike(chance: random.Random) -> bytes:
    """Return rows written alike, in several blocks, the last of them with a character too many."""
    said = chance.choice(("Hi ", "größe ", "😀 ")) * 80
    messages = [{"role": "user", "content": said}, {"role": "assistant", "content": said}]
    row = json.dumps({"messages": messages}, ensure_ascii=False).encode()
    odd = chance.choice((b"\x01", b"\t", b"\xff", b"\x00", b"<|", b"\x7f", b" "))
    bad = row[:-200] + row[-200:].replace(b" ", odd, 1)
    return b"\n".join([*[row] * 30, bad, b""])


def look_at_two_files(run: Run, folder: Path, count: int) -> None:
    """Look at a training file and a validation file that have `count` rows in common."""
    rows = [run.good.talk() for _ in range(count)]
    changed = [json.loads(json.dumps(row)) for row in rows[::2]]
    for row in changed:
        row["messages"][-1]["content"] += " no"
    train, held = folder / "train.jsonl", folder / "held.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held.write_text("".join(json.dumps(row) + "\n" for row in [*changed, *rows[1::2]]))
    validation: Any = importlib.import_module("ftproviders.data.validation")
    wishes = validation.Wishes(profiles={"all": PROFILE}, max_issues=ALL)
    with engine("judge"):
        both = validation.validate_pair(train, held, wishes)
    for name in ("python", "native") if HAS_NATIVE else ("python",):
        with engine(name):
            assert validation.validate_pair(train, held, wishes) == both
    run.counts.hits.update(issue.rule for report in both for issue in report.issues)
    run.counts.rows[Method.SUPERVISED] += sum(report.rows for report in both)


def look_through_templates(run: Run, folder: Path, count: int) -> None:
    """Look at files as base models of several families read them."""
    for name, template, row in _templates(run):
        model_folder = save_model(folder / name, template, model_max_length=400)
        basemodel: Any = importlib.import_module("ftproviders.data.basemodel")
        model = basemodel.find_base_model(str(model_folder), exact=True, cache=folder)
        content = b"".join(
            json.dumps(one()).encode() + b"\n"
            for _ in range(count)
            for one in (run.good.question, row)
        )
        report = run.compare(content, model=model, exact_tokens=True, profiles=_LOCAL)
        run.counts.mutated += count
        assert run.counts.hits[f"template.{name}"] >= count, report.issues[:3]


def look_at_odd_rows_with_models(run: Run, folder: Path, count: int) -> None:
    """Look at mutated rows as models read them: no row whatever makes that raise."""
    save_model(folder / "odd", CHATML, model_max_length=300)
    basemodel: Any = importlib.import_module("ftproviders.data.basemodel")
    models = [
        basemodel.find_base_model(str(folder / "odd"), exact=True, cache=folder, template=template)
        for template in (CHATML, MARKED, DEAF, STRICT, TOOLS, FORGETFUL)
    ]
    models += [
        basemodel.find_base_model(name, exact=True, cache=folder) for name in ("gpt-4o", "gpt-4")
    ]
    for model in models:
        for method in (Method.SUPERVISED, Method.DPO):
            rows: list[bytes] = []
            while len(rows) < count:
                lines, mutated = run.lines(method)
                rows += [line for line in lines if len(line) < _SHORT_BYTES]
                run.counts.mutated += mutated
            run.compare(b"\n".join(rows), method=method, model=model, exact_tokens=True)


_SHORT_BYTES = 4_000
_LOCAL = {"local": DataProfile()}


def _templates(run: Run) -> list[tuple[str, str, Callable[[], Json]]]:
    """Return rule, template, and what makes rows that break the rule there."""
    text = run.good.text

    def said(*turns: tuple[str, str]) -> Json:
        return {"messages": [{"role": role, "content": words} for role, words in turns]}

    def silent() -> Json:
        row = run.good.question()
        row["messages"][1]["weight"] = 0
        return row

    def with_system() -> Json:
        return said(("system", text()), ("user", text()), ("assistant", text()))

    def pair_with_system() -> Json:
        row = run.good.pair()
        row["input"]["messages"].insert(0, {"role": "system", "content": text()})
        return row

    return [
        ("refused", STRICT, with_system),
        ("dropped", DEAF, pair_with_system),
        ("dropped", DEAF, with_system),
        ("rewritten", FORGETFUL, lambda: said(*((role, text()) for role in _TURNS))),
        ("masked", CHATML, silent),
        ("truncated", CHATML, lambda: said(("user", "a"), ("assistant", text() + " b" * 400))),
    ]
