"""The lines of an export for people, and what is refused before any work is announced."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftproviders.cli import exporting
from tests.cli.program import Run


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--format", "onnx"], "no export format 'onnx'"),
        (["--format", "gguf", "--weights", "q4_k_m"], "gguf is not written in 'q4_k_m'"),
        (["--format", "merged", "--weights", "q8_0"], "merged is not written in 'q8_0'"),
        (["--format", "merged", "--to", "taken"], "is not empty"),
    ],
)
def test_a_bad_wish_is_refused_before_work_is_announced(
    run: Run, finished: str, flags: list[str], sentence: str
) -> None:
    Path("taken").mkdir()
    Path("taken/mine.txt").write_text("mine")
    result = run("export", finished, "--to", "out", *flags)
    assert result.code == 2
    assert sentence in result.err
    assert "Writing the model" not in result.err
    assert not Path("out").exists()


def test_the_folder_and_the_check_are_told_plainly(run: Run, finished: str) -> None:
    result = run("export", finished, "--to", "detour/../out", "--format", "merged")
    assert result.code == 0
    assert "Writing the model" in result.err
    folder = str(Path("out").resolve())
    assert [line.split() for line in result.out.splitlines() if "folder" in line] == [
        ["folder", folder]
    ]
    assert "{" not in result.out


def test_numbers_stand_beside_the_bounds_they_had_to_keep() -> None:
    found = {
        "method": "probe conversation, computed in float32",
        "weights": "bf16",
        "positions": 84,
        "greedy_answer_equal": False,
        "top1_agreement": 81 / 84,
        "kl_nats": 0.00233,
        "max_logit_difference": 1.348,
        "bounds": {"kl_nats": 0.005, "top1_agreement": 0.9, "logit_difference": 2.0},
    }
    assert exporting._checked(found) == [
        "weights: bf16",
        "greedy answer to the probe: another, within the bounds",
        "mean KL divergence: 0.0023 nats (at most 0.005)",
        "first choices equal: 96.4% of 84 positions (at least 90%)",
    ]
    assert exporting._checked({"method": "equal bytes", "equal": True}) == ["equal bytes: yes"]
