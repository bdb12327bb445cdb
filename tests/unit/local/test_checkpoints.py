"""A checkpoint of which any byte was changed is not used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftproviders.worker.checkpoints import Checkpoints

FACTS: dict[str, Any] = {
    "belongs": {"settings": {"learning_rate": 1e-3}, "base_model_files": {}, "surroundings": {}},
    "finished": False,
    "trained_tokens": 5,
    "pending": {"loss": 1.5, "since_step": 3},
}


@pytest.fixture
def store(tmp_path: Path) -> Checkpoints:
    """The checkpoints of steps 3 and 6."""
    store = Checkpoints(tmp_path, keep=3)
    for step in (3, 6):
        draft = store.draft(step)
        (draft / "adapter_model.safetensors").write_bytes(b"weights %d" % step)
        (draft / "state/optimizer.pt").write_bytes(b"optimizer %d" % step)
        store.commit(draft, step=step, facts=FACTS)
    return store


def manifest(store: Checkpoints) -> Path:
    return store.folder / "step-00000006/state/manifest.json"


def test_no_change_of_the_manifest_goes_unnoticed(store: Checkpoints) -> None:
    file = manifest(store)
    good, reported = file.read_bytes(), list[str]()
    whole = store.newest(reported.append)
    assert whole is not None
    assert (whole.step, reported) == (6, [])
    others = 0
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1 << place % 7
        file.write_bytes(bytes(changed))
        found = store.newest(reported.append)
        assert found is not None
        if found.step == 3:
            others += 1
        else:  # the same content, written in another way
            assert found.manifest == whole.manifest, changed
    assert others == len(reported) > 0.9 * len(good)
    said = "is damaged and is not used: state/manifest.json is not what was written."
    assert set(reported) == {f"Checkpoint step-00000006 {said}"}


@pytest.mark.parametrize("name", ["files", "belongs", "sha256", "step"])
def test_an_entry_that_is_gone_is_noticed(store: Checkpoints, name: str) -> None:
    content = json.loads(manifest(store).read_bytes())
    del content[name]
    manifest(store).write_text(json.dumps(content))
    found = store.newest(lambda _: None)
    assert found is not None
    assert found.step == 3


def test_a_manifest_that_is_gone_is_reported(store: Checkpoints) -> None:
    manifest(store).unlink()
    reported: list[str] = []
    found = store.newest(reported.append)
    assert found is not None
    assert (found.step, len(reported)) == (3, 1)
