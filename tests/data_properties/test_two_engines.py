"""The fast engines and the judge agree on 100,000 rows, more than half of them mutated.

    FTPROVIDERS_TEST_DATA_ROWS=10000 pytest tests/data_properties

The seed is fixed: the same rows each time. A smaller number of rows is for a look by hand; what is
counted is asserted for the full number alone.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ftproviders.schema.hyperparameters import Method
from tests.data_properties.native_rows import UNREACHED
from tests.data_properties.refusals import Refusals, decoder_complaints, marked_room
from tests.data_properties.run import HAS_NATIVE, LIMITS, Counts, Run
from tests.data_properties.whole_files import (
    look_at_odd_rows_with_models,
    look_at_other_files,
    look_at_two_files,
    look_through_templates,
)

FULL_ROWS = 100_000
WANTED_ROWS = int(os.environ.get("FTPROVIDERS_TEST_DATA_ROWS", FULL_ROWS))
SEED = 20
HITS = 100
OTHER_METHODS = (Method.DPO, Method.ORPO, Method.REWARD, Method.REINFORCEMENT)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Done:
    """A run that found no difference."""

    counts: Counts
    refusals: Refusals
    complaints: set[str]
    rules: frozenset[str]
    full: bool


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Look at all the rows; a difference between the engines is an error here."""
    folder = tmp_path_factory.mktemp("rows")
    with marked_room(LIMITS) as refusals:
        run = Run(folder, seed=SEED)
        while run.counts.rows[Method.SUPERVISED] < WANTED_ROWS:
            run.check_file(Method.SUPERVISED)
        for method in OTHER_METHODS:
            while run.counts.rows[method] < WANTED_ROWS // 16:
                run.check_file(method)
        count = max(WANTED_ROWS * 110 // FULL_ROWS, 1)
        look_at_other_files(run, count)
        look_at_two_files(run, folder, count)
        look_through_templates(run, folder, count)
        look_at_odd_rows_with_models(run, folder, 2 * count)
        table: Any = importlib.import_module("ftproviders.data.rules")
        yield Done(
            run.counts,
            refusals,
            decoder_complaints(),
            frozenset(table.RULES),
            WANTED_ROWS >= FULL_ROWS,
        )


def test_engines_agree(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sum(done.counts.rows.values())
    with capsys.disabled():
        print("", *done.counts.lines(), sep="\n  ")
        taken = len(done.refusals.sites) - len(done.refusals.never_taken())
        print(f"  {taken} of {len(done.refusals.sites)} ways to refuse taken")
        places = done.counts.native
        print(f"  native: {sum(map(bool, places.values()))} of {len(places)} ways to refuse taken")
    assert rows > 0
    if done.full:
        assert done.counts.rows[Method.SUPERVISED] >= FULL_ROWS
        assert done.counts.mutated >= rows / 2


def test_every_rule_was_hit(done: Done) -> None:
    assert set(done.counts.hits) <= done.rules
    if done.full:
        rare = {
            rule: done.counts.hits[rule] for rule in done.rules if done.counts.hits[rule] < HITS
        }
        assert rare == {}


def test_every_branch_of_the_fast_path_refused(done: Done) -> None:
    assert len(done.refusals.sites) > 10
    assert sum(done.refusals.taken.values()) > 0
    if done.full:
        assert done.refusals.never_taken() == []
        assert done.refusals.outdated() == set(), "take them out of UNREACHED"


@pytest.mark.skipif(not HAS_NATIVE, reason="the native engine is not built here")
def test_every_branch_of_the_native_engine_refused(done: Done) -> None:
    places = done.counts.native
    assert places["NO_OTHER_SHAPE"] > 0
    if done.full:
        assert {place for place, count in places.items() if not count} == set(UNREACHED)
        assert min(done.counts.spared.values()) >= HITS


def test_every_field_of_the_typed_decoders_refused(done: Done) -> None:
    assert {"unknown key", "missing content", "type of messages"} <= done.complaints
    if done.full:
        assert done.complaints - set(done.refusals.decoder_said) == set()
