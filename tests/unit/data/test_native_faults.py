"""Faults that the native engine counts by itself: the same as the judge, whatever the row holds."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from ftproviders import registry
from ftproviders.data.engine import ExactEngine, Rows
from ftproviders.data.engines import NativeEngine
from ftproviders.data.keys import RowKeys
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.stream import Block
from ftproviders.provider import DataProfile
from tests.data_properties.changed import ChangedRows
from tests.unit.data.data_cases import ROW_CASES
from tests.unit.data.test_native import ROWS

built = pytest.mark.skipif(
    importlib.util.find_spec("ftproviders.data._native") is None,
    reason="the native engine is not built here",
)
Profiles = Mapping[str, DataProfile]
KNOWN = {name: registry.info(name).data_profile(None) for name in ("openai", "local", "hf-jobs")}
ROUTES: tuple[Profiles, ...] = (
    {"all": DataProfile()},
    {},
    KNOWN,
    {"openai": KNOWN["openai"]},
    {"local": KNOWN["local"]},
)


def made_of(
    kind: type[ExactEngine], raw: bytes, profiles: Profiles, detail: int, long_bytes: int | None
) -> tuple[Any, ...]:
    """Return everything that an engine makes of a block."""
    shapes = frozenset[str]().union(*(one.row_shapes for one in profiles.values()))
    keys = RowKeys()
    rows = Rows(keys=keys, long_bytes=long_bytes, shapes=shapes or DataProfile().row_shapes)
    engine, ledger = kind(rows), Ledger(judgements(profiles), max_issues=detail, profiles=profiles)
    block = Block(1, raw=raw, offset=7)
    engine.check(block, ledger)
    engine.finish(ledger)
    verdicts = [ledger.verdict(name) for name in profiles]
    kept = [list(part) for part in keys.read(0)]
    return (ledger.issues(), verdicts, ledger.tally, +ledger.counts, ledger.first_of_shape,
            block.blank, kept, rows.long_rows)  # fmt: skip


@built
@pytest.mark.parametrize("seed", range(6))
def test_changed_rows_side_by_side(seed: int) -> None:
    chance = random.Random(seed)
    rows = ChangedRows(chance, ROWS)
    counted: Counter[str] = Counter()
    for _ in range(50):
        lines = [rows.line() for _ in range(40)]
        profiles, detail = chance.choice(ROUTES), chance.choice((0, 0, 0, 2, 500))
        wishes = (profiles, detail, chance.choice((None, 300)))
        raw = b"\n".join(lines)
        if made_of(NativeEngine, raw, *wishes) != made_of(ExactEngine, raw, *wishes):
            for line in lines:  # one row says more than forty
                assert made_of(NativeEngine, line, *wishes) == made_of(ExactEngine, line, *wishes)
            raise AssertionError(raw)
        counted += made_of(ExactEngine, raw, *wishes)[3]
    assert len(counted) > 40, "most rules were broken"


@built
@pytest.mark.parametrize("rule", sorted(ROW_CASES))
def test_rows_that_break_one_rule_need_no_other_engine(rule: str) -> None:
    """Of a rule that is counted, the row that breaks only it is; of others it is refused."""
    engine = NativeEngine(Rows())
    counted = rule in engine._rules and rule not in LEFT_TO_OTHERS
    line = ROW_CASES[rule].row.encode()
    assert engine.sample(line) == (1, 0 if counted else 1), engine.refusals()


LEFT_TO_OTHERS = {"json.constant": "in a declaration it takes the judge to read it"}
