"""Adapters that lie about the files in the account; the contract suite catches each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders.schema.file import DataFile
from ftproviders.schema.job import FileRef
from ftproviders.testing import AdapterContract, MemoryServer
from ftproviders.testing.memory.adapter import MemoryAdapter
from tests.contract.memory_rig import KEY, MemoryRig

_check = AdapterContract().test_files_lists_every_file_that_is_there


class FirstPageOnly(MemoryAdapter):
    @override
    def files(self) -> Sequence[DataFile]:
        return super().files()[:2]


class ShowsDeleted(MemoryAdapter):
    gone: tuple[DataFile, ...] = ()

    @override
    def files(self) -> Sequence[DataFile]:
        return [*super().files(), *ShowsDeleted.gone]

    @override
    def delete_file(self, file: FileRef) -> None:
        ShowsDeleted.gone = tuple(one for one in super().files() if one.id == file.id)
        super().delete_file(file)


class ForgetsNames(MemoryAdapter):
    @override
    def files(self) -> Sequence[DataFile]:
        return [file.model_copy(update={"name": "data.jsonl"}) for file in super().files()]


class WrongSize(MemoryAdapter):
    @override
    def files(self) -> Sequence[DataFile]:
        return [file.model_copy(update={"bytes": 0}) for file in super().files()]


class Twice(MemoryAdapter):
    @override
    def files(self) -> Sequence[DataFile]:
        return [*super().files(), *super().files()]


def _rig(adapter: type[MemoryAdapter], folder: Path) -> MemoryRig:
    rig = MemoryRig(folder, MemoryServer(api_key=KEY, page_size=2))
    rig.adapter_class = adapter
    return rig


@pytest.mark.parametrize(
    ("liar", "sentence"),
    [
        (FirstPageOnly, "was sent and must be listed"),
        (ShowsDeleted, "was deleted and is listed"),
        (ForgetsNames, "is listed as 'data.jsonl'"),
        (WrongSize, "has .* bytes"),
        (Twice, "listed twice"),
    ],
)
def test_the_liar_is_caught(tmp_path: Path, liar: type[MemoryAdapter], sentence: str) -> None:
    honest: Callable[..., None] = _check
    honest(_rig(MemoryAdapter, tmp_path))
    with pytest.raises(AssertionError, match=sentence):
        honest(_rig(liar, tmp_path))
