"""Prices of the user's own: read from a file, before the table, and told when they are wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from ftproviders.errors import ConfigurationError
from ftproviders.planning.prices import estimate, read_prices
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.plan import CostEstimate

ROW = """[[training]]
provider = "openai"
model = "gpt-4.1-mini-2025-04-14"
usd_per_million_tokens = 5
as_of = 2026-11-20
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(ROW)
    return path


def cost(file: Path, model: str, *, table: bool = True, today: str = "2026-11-28") -> CostEstimate:
    return estimate(
        "openai",
        model,
        Method.SUPERVISED,
        trained_tokens=2_000_000,
        today=date.fromisoformat(today),
        own=read_prices(file),
        table=table,
    )


@pytest.mark.parametrize("table", [True, False])
def test_own_prices_fill_what_the_table_lacks(file: Path, table: bool) -> None:
    found = cost(file, "ft:gpt-4.1-mini-2025-04-14:me::1", table=table)
    assert (found.usd, found.source, found.as_of) == (10.0, "prices_file", date(2026, 11, 20))
    assert "secondary" not in found.basis
    assert "is of 2026-11-20" in cost(file, "gpt-4.1-mini-2025-04-14", today="2027-03-01").basis


def test_own_prices_go_before_the_table(file: Path) -> None:
    assert cost(file, "gpt-4o-2024-08-06").usd == 50.0
    file.write_text(ROW.replace("gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06"))
    assert cost(file, "gpt-4o-2024-08-06").usd == 10.0


def test_where_the_table_does_not_count_nothing_is_made_up(file: Path) -> None:
    assert cost(file, "gpt-4o-2024-08-06", table=False).usd is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[training]", "not valid TOML"),
        (ROW.replace("= 5", "= -5"), "usd_per_million_tokens"),
        (ROW.replace("as_of = 2026-11-20\n", ""), "training row 1, as_of"),
        (ROW + ROW + "cost = 3\n", "training row 2, cost"),
        (ROW + 'method = "magic"\n', "training row 1, method"),
        ("training = 3", "training: "),
    ],
)
def test_a_wrong_file_is_told(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_prices(file)
    assert words in caught.value.message
    assert str(file) in caught.value.message
    assert "prices_file" in caught.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")
