"""A folder of the user's is there whole or not at all, and drafts of the living are safe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftproviders.errors import ConfigurationError
from ftproviders.provider.folders import whole_folder

ROOT = Path(__file__).parents[2]
DYING = """
import os, signal, sys
from pathlib import Path
from ftproviders.provider.folders import whole_folder
with whole_folder(Path(sys.argv[1]), provider="x") as draft:
    (draft / "half.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def drafts(target: Path) -> set[Path]:
    return set(target.parent.glob(f".{target.name}.new-*"))


def die(target: Path) -> Path:
    """Have a process killed while it writes; return its draft."""
    before = drafts(target)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", DYING, str(target)], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    (draft,) = drafts(target) - before
    return draft


def test_drafts_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    target = tmp_path / "exp"
    dead, other = die(target), die(tmp_path / "exp.2")
    foreign = tmp_path / ".exp.new-of-another-machine"
    foreign.mkdir()
    writer = whole_folder(target, provider="x")
    slow = writer.__enter__()  # a second export runs through while this one writes
    assert not dead.exists()
    (slow / "slow.txt").write_text("slow")
    with whole_folder(target, provider="x") as quick:
        assert slow.is_dir()
        (quick / "quick.txt").write_text("quick")
    assert [file.name for file in target.iterdir()] == ["quick.txt"]
    with pytest.raises(ConfigurationError, match="is not empty"):
        writer.__exit__(None, None, None)
    assert not slow.exists()
    assert [file.name for file in target.iterdir()] == ["quick.txt"]
    assert foreign.is_dir()
    assert other.is_dir()


def test_a_written_folder_is_not_locked_any_more(tmp_path: Path) -> None:
    import fcntl

    with whole_folder(tmp_path / "exp", provider="x") as draft:
        (draft / "a.txt").write_text("a")
    number = os.open(tmp_path / "exp", os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(number)
    assert drafts(tmp_path / "exp") == set()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "exp"
    with (
        pytest.raises(ConfigurationError, match="cannot be written") as caught,
        whole_folder(target, provider="x"),
    ):
        pytest.fail("there is no such folder")
    assert str(target) in caught.value.message
    assert "Name a folder" in caught.value.hint
