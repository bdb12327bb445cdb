"""Rules that only several rows, files or settings show: what breaks each, what is just inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftproviders import data
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Issue
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, GOOD, row
from tests.unit.data.method_cases import TRL, graded, seeing


def talk(question: str, answer: str) -> str:
    """Return a row of one question and one answer."""
    return row(
        json.dumps({"role": "user", "content": question}),
        json.dumps({"role": "assistant", "content": answer}),
    )


HELD = (talk("held", "back"), talk("asked", "before"))
"""Rows of the validation file."""


@dataclass(frozen=True)
class Setting:
    """Rows of a training file, and what it is looked at for."""

    rows: Sequence[str]
    profile: DataProfile
    method: Method = Method.SUPERVISED
    has_validation_file: bool | None = None


@dataclass(frozen=True)
class AcrossCase:
    """What breaks one rule, and what is just inside it."""

    broken: Setting
    inside: Setting
    line: int = 0
    """Line of the issue; 0 = the file as a whole."""
    with_held: bool = False
    """Whether the issue is one of the validation file, which has the rows `HELD`."""


def _setting(*rows: str, profile: DataProfile | None = None) -> Setting:
    return Setting(rows or (GOOD,), profile or DataProfile())


_QUESTION = graded('{"role": "user", "content": "good row"}')
_STRICT = DataProfile(needs_validation_file=frozenset({Method.REINFORCEMENT}))
_IMAGES = (row(seeing(1), ANSWER), row(seeing(2), ANSWER))
_LONG = talk("long " * 30, "a")

ACROSS: dict[str, AcrossCase] = {
    "file.images": AcrossCase(
        _setting(*_IMAGES, profile=DataProfile(maximum_image_rows=1)),
        _setting(*_IMAGES, profile=DataProfile(maximum_image_rows=2)),
    ),
    "file.method": AcrossCase(
        _setting(profile=DataProfile(methods=frozenset({Method.DPO}))),
        _setting(profile=DataProfile(methods=frozenset({Method.DPO, Method.SUPERVISED}))),
    ),
    "file.mixed_shapes": AcrossCase(
        _setting(GOOD, '{"text": "b"}', profile=TRL),
        _setting('{"text": "a"}', '{"text": "b"}', profile=TRL),
        line=2,
    ),
    "file.upload": AcrossCase(
        _setting(profile=DataProfile(maximum_plain_bytes=len(GOOD))),
        _setting(profile=DataProfile(maximum_plain_bytes=len(GOOD) + 1)),
    ),
    "file.validation": AcrossCase(
        Setting([_QUESTION], _STRICT, Method.REINFORCEMENT, has_validation_file=False),
        Setting([_QUESTION], _STRICT, Method.REINFORCEMENT, has_validation_file=True),
    ),
    "row.tokens": AcrossCase(
        _setting(_LONG, GOOD, profile=DataProfile(maximum_row_tokens=30)),
        _setting(_LONG, GOOD, profile=DataProfile(maximum_row_tokens=31)),
        line=1,
    ),
    "rows.conflict": AcrossCase(
        _setting(talk("q", "a"), talk("q", "b")), _setting(talk("q", "a"), talk("Q", "b")), line=2
    ),
    "rows.duplicate": AcrossCase(
        _setting(talk("q", "a"), talk("p", "a"), talk("q", "a")),
        _setting(talk("q", "a"), talk("p", "a"), talk("r", "a")),
        line=3,
    ),
    "rows.overlap": AcrossCase(
        _setting(talk("q", "a"), HELD[1]), _setting(talk("q", "a"), talk("p", "before")), line=2,
        with_held=True,
    ),
}  # fmt: skip


def rules_of(case: AcrossCase, setting: Setting, folder: Path) -> list[Issue]:
    """Return what is found in the rows of a setting."""
    file, held = folder / "rows.jsonl", folder / "held.jsonl"
    file.write_text("".join(f"{one}\n" for one in setting.rows), encoding="utf-8")
    profiles = {"one": setting.profile}
    if case.with_held:
        held.write_text("".join(f"{one}\n" for one in HELD), encoding="utf-8")
        one, two = data.validate_pair(file, held, data.Wishes(profiles=profiles))
        assert one.issues == ()
        return list(two.issues)
    _, report = data.validate(
        file,
        profiles=profiles,
        method=setting.method,
        across_rows=True,
        has_validation_file=setting.has_validation_file,
        count_tokens=lambda value: str(value).count("long") + 1,
    )
    return list(report.issues)
