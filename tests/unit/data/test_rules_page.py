"""The page of data rules is what the table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftproviders.cli import datarules
from ftproviders.data import RULES

PAGE = Path(__file__).parents[3] / "docs" / "data-rules.md"


def test_the_page_fits_the_table() -> None:
    hint = "run: python -m ftproviders.cli.datarules docs/data-rules.md"
    assert PAGE.read_text(encoding="utf-8") == datarules.page(), hint


def test_every_rule_and_its_source_stand_on_the_page() -> None:
    text = datarules.page()
    for rule in RULES.values():
        assert f"| `{rule.id}` |" in text
        assert f"[{rule.source_class}]" in text


def test_the_script_checks_and_rewrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "rules.md"
    assert datarules.main(["--check", str(page)]) == 1
    assert "does not fit" in capsys.readouterr().err
    assert datarules.main([str(page)]) == 0
    assert datarules.main(["--check", str(page)]) == 0
    assert datarules.main([]) == 2
