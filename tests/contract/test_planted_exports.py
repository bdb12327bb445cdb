"""Adapters that lie about exports, each in one way: the contract suite catches them all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders.errors import ConfigurationError
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.job import TunedModel
from ftproviders.testing import AdapterContract
from ftproviders.testing.memory.adapter import MemoryAdapter
from tests.contract.test_planted_lies import rig_of

suite = AdapterContract()
Check = Callable[..., None]


class Exporter(MemoryAdapter):
    """Exports honestly, then does what `spoil` says."""

    def spoil(self, found: ExportedModel) -> ExportedModel:
        return found

    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        return self.spoil(super().export(model, folder=folder, format=format, weights=weights))


class LeavesADraft(Exporter):
    @override
    def spoil(self, found: ExportedModel) -> ExportedModel:
        shutil.copytree(found.folder, found.folder.with_name(".draft"))
        return found


class NothingChecked(Exporter):
    @override
    def spoil(self, found: ExportedModel) -> ExportedModel:
        return found.model_copy(update={"verification": {}})


class ForgetsAFile(Exporter):
    @override
    def spoil(self, found: ExportedModel) -> ExportedModel:
        (found.folder / "more.bin").write_bytes(b"more")
        return found


class NoCard(Exporter):
    @override
    def spoil(self, found: ExportedModel) -> ExportedModel:
        (found.folder / "ftproviders.json").unlink()
        files = {name: size for name, size in found.files.items() if name != "ftproviders.json"}
        return found.model_copy(update={"files": files})


class TakesEveryFolder(MemoryAdapter):
    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        shutil.rmtree(folder, ignore_errors=True)
        return super().export(model, folder=folder, format=format, weights=weights)


class WritesBeforeItKnows(MemoryAdapter):
    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        folder.mkdir(exist_ok=True)
        return super().export(model, folder=folder, format=format, weights=weights)


class RefusesEverything(MemoryAdapter):
    @override
    def export(
        self,
        model: TunedModel,
        *,
        folder: Path,
        format: ExportFormat,
        weights: str | None = None,
    ) -> ExportedModel:
        raise ConfigurationError("Not today.", provider="memory", hint="Come back tomorrow.")


@pytest.mark.parametrize(
    ("liar", "test", "sentence"),
    [
        (LeavesADraft, suite.test_a_model_is_exported, "left beside the folder"),
        (NothingChecked, suite.test_a_model_is_exported, "not checked"),
        (ForgetsAFile, suite.test_a_model_is_exported, r"more\.bin"),
        (NoCard, suite.test_a_model_is_exported, r"ftproviders\.json says"),
        (RefusesEverything, suite.test_a_model_is_exported, "no form can be had"),
        (TakesEveryFolder, suite.test_a_folder_with_something_in_it_is_left_alone, "must raise"),
        (WritesBeforeItKnows, suite.test_a_model_that_is_not_there_leaves_nothing, "leaves"),
    ],
)
def test_a_liar_is_caught(
    liar: type[MemoryAdapter], test: Check, sentence: str, tmp_path: Path
) -> None:
    test(rig_of(MemoryAdapter, tmp_path))
    with pytest.raises(AssertionError, match=sentence):
        test(rig_of(liar, tmp_path))
