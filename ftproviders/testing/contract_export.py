"""The part of the contract about tuned models that are written to files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from ftproviders.errors import ConfigurationError, FineTuneError, UnsupportedFeatureError
from ftproviders.provider import Feature
from ftproviders.schema.export import ExportedModel, ExportFormat
from ftproviders.schema.job import TunedModel
from ftproviders.testing.checks import as_runtime, raised, require
from ftproviders.testing.rig import Rig

__all__ = ["ExportContract"]


class ExportContract:
    """An export is whole and checked, or it is not there."""

    def test_a_model_is_exported(self, rig: Rig) -> None:
        """Each form is written and checked, or refused with what to do; one is written at least."""
        if Feature.EXPORT not in rig.info.features:
            return
        written = []
        for form in ExportFormat:
            folder = _nowhere()
            try:
                found = _export(rig, _model(rig), folder, form)
            except (ConfigurationError, UnsupportedFeatureError) as error:
                require(error.hint, f"{form.value} is refused: the error must say what to do")
                require(not folder.exists(), f"{form.value} is refused and leaves {folder}")
                continue
            _check(rig, found, folder, form)
            written.append(form)
        require(written, "export is declared, and no form can be had")

    def test_a_folder_with_something_in_it_is_left_alone(self, rig: Rig) -> None:
        """What a user has in a folder is never mixed with, or replaced by, a model."""
        if Feature.EXPORT not in rig.info.features:
            return
        folder = _nowhere()
        folder.mkdir()
        (folder / "mine.txt").write_text("mine", encoding="utf-8")
        for form in ExportFormat:
            raised(
                FineTuneError,
                partial(_export, rig, _model(rig), folder, form),
                when=f"export of {form.value} to a folder that is taken",
            )
        names = [path.name for path in folder.iterdir()]
        require(names == ["mine.txt"], f"the folder now holds {names}")
        around = [path.name for path in folder.parent.iterdir()]
        require(around == [folder.name], f"something is left beside the folder: {around}")

    def test_a_model_that_is_not_there_leaves_nothing(self, rig: Rig) -> None:
        """An unknown model is an error, and no folder."""
        if Feature.EXPORT not in rig.info.features:
            return
        model = _model(rig)
        nobody = model.model_copy(update={"name": f"{model.name}-nobody-has-this"})
        folder = _nowhere()
        error = raised(
            FineTuneError,
            partial(_export, rig, nobody, folder, ExportFormat.ADAPTER),
            when="export of an unknown model",
        )
        require(error.hint, "the error must say what to do")
        left = [path.name for path in folder.parent.iterdir()]
        require(not left, f"an export that failed leaves {left}")


def _model(rig: Rig) -> TunedModel:
    model = rig.finished.last.model
    if model is None:
        raise AssertionError("a job that succeeded names its model")
    return model


def _nowhere() -> Path:
    return Path(mkdtemp(prefix="ftproviders-rig-")) / "exported"


def _export(rig: Rig, model: TunedModel, folder: Path, form: ExportFormat) -> ExportedModel:
    adapter = rig.adapter()
    return as_runtime(adapter, "export", lambda: adapter.export(model, folder=folder, format=form))


def _check(rig: Rig, found: ExportedModel, folder: Path, form: ExportFormat) -> None:
    require(found.folder == folder, f"export to {folder} tells {found.folder}")
    require(found.format is form, f"export of {form.value} tells {found.format.value}")
    require(found.provider == rig.info.name, "the export's provider")
    there = {p.name: p.stat().st_size for p in folder.iterdir()}
    require(dict(found.files) == there, f"told {dict(found.files)}, written {there}")
    require("ftproviders.json" in there, "ftproviders.json says where the model comes from")
    require(found.verification, f"{form.value} was not checked against the tuned model")
    beside = [path.name for path in folder.parent.iterdir()]
    require(beside == [folder.name], f"something is left beside the folder: {beside}")
