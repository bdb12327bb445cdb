"""Every fenced block of README and docs runs as it stands, page by page, from a fresh folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.fences import Block, blocks, missing_lines

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = {
    "bash": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-W", "error", "-c"],
}
SHOWN_ONLY = {"", "text", "json", "yaml", "toml", "mermaid"}


def runnable(page: Path) -> list[Block]:
    """Return the page's blocks that are run."""
    shown = [b for b in blocks(page) if b.language in RUN and b.excerpt_of is None]
    return [b for b in shown if b.reason_not_to_run is None]


def environment(folder: Path) -> dict[str, str]:
    """Return the test's environment with our commands on the path."""
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": commands, "NO_COLOR": "1", "COLUMNS": "200", "HOME": str(folder)}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if runnable(page)],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_blocks_of_a_page_run_one_after_the_other(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for file in (ROOT / "examples" / "data").glob("*.jsonl"):
        shutil.copy(file, tmp_path)

    for block in runnable(page):
        done = subprocess.run(
            [*RUN[block.language], block.code],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        where = f"{page.name}:{block.line}"
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{where} exited {done.returncode}:\n{said}"
        if block.expected is not None:
            assert missing_lines(block.expected, said) == [], f"{where} printed:\n{said}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_block_that_is_not_run_says_why(page: Path) -> None:
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        assert block.language in {*RUN, *SHOWN_ONLY}, f"{where}: {block.language}?"
        reason = block.reason_not_to_run
        assert reason is None or len(reason.split()) >= 3, f"{where}: norun without a reason"


def test_excerpts_stand_in_their_files() -> None:
    excerpts = [b for page in PAGES for b in blocks(page) if b.excerpt_of is not None]

    assert excerpts
    for block in excerpts:
        source = (ROOT / str(block.excerpt_of)).read_text(encoding="utf-8")
        where = f"{block.page.name}:{block.line}"
        assert block.code in source, f"{where} is not in {block.excerpt_of} any more"


def test_every_page_is_looked_at_and_most_blocks_run() -> None:
    everything = [
        b for page in PAGES for b in blocks(page) if b.language in RUN and b.excerpt_of is None
    ]
    run = [b for page in PAGES for b in runnable(page)]

    assert len(PAGES) >= 9
    assert len(run) >= 12
    assert len(run) / len(everything) > 0.5


def test_expected_output_is_really_compared() -> None:
    assert missing_lines("score: … before\n\n", "x\nscore:  3/10   before\n") == []
    assert missing_lines("score: 4/10 before", "score: 3/10 before") == ["score: 4/10 before"]
