"""The part of the contract about errors, secrets and what an adapter must not do at all."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from functools import partial
from types import ModuleType

from ftproviders.errors import FineTuneError, NotFoundError, ProviderError
from ftproviders.provider import Feature
from ftproviders.schema.dataset import DatasetStatistics
from ftproviders.schema.job import SubmissionQuery
from ftproviders.testing.checks import as_runtime, raised, require, watched
from ftproviders.testing.rig import Rig

__all__ = ["ErrorContract", "MannersContract"]

_OTHER_ROOMS = ("journal", "planning", "registry")
_FOREIGN_TEXT = "sk-hidden-in-a-foreign-message"


class _ForeignError(Exception):
    """Something that an SDK might raise, with a key in its text."""


class ErrorContract:
    """Every error is one of ours, says what to do next, and keeps its cause."""

    def test_foreign_errors_are_translated(self, rig: Rig) -> None:
        """Whatever an SDK raises becomes a FineTuneError; its text is not repeated."""
        adapter = rig.adapter()
        foreign = (TimeoutError(), ConnectionResetError(), _ForeignError(_FOREIGN_TEXT))
        for error in foreign:
            ours = adapter.translate(error, operation="create")
            name = type(error).__name__
            require(isinstance(ours, FineTuneError), f"{name} became {type(ours).__name__}")
            require(ours.hint, f"{name}: the error must say what to do next")
            require(ours.provider == rig.info.name, f"{name}: the error must name the provider")
            require(ours.operation == "create", f"{name}: the error must name the operation")
            require(_FOREIGN_TEXT not in str(ours), f"{name}: a foreign text may hold a key")

    def test_lost_answers_are_unclear(self, rig: Rig) -> None:
        """After a time-out or a broken connection a create may have been carried out."""
        adapter = rig.adapter()
        for error in (TimeoutError(), ConnectionResetError()):
            ours = adapter.translate(error, operation="create")
            unclear = isinstance(ours, ProviderError) and ours.maybe_executed
            require(unclear, f"{type(error).__name__} at create must be maybe_executed")

    def test_our_errors_pass_unchanged(self, rig: Rig) -> None:
        """Translating twice does not wrap twice."""
        ours = FineTuneError("as it is", hint="Leave it.")
        again = rig.adapter().translate(ours, operation="create")
        require(again is ours, "an error of ours must come back as it is")

    def test_errors_keep_their_cause(self, rig: Rig) -> None:
        """An error that was translated keeps the original as its cause, and names provider."""
        adapter = rig.adapter()
        ref = rig.finished.ref.model_copy(update={"id": "ftnobodyhasthisid"})
        retrieve = partial(as_runtime, adapter, "retrieve", partial(adapter.retrieve, ref))
        error = raised(NotFoundError, retrieve, when="retrieve of an unknown id")
        require(error.provider == rig.info.name, "the error must name the provider")
        require(error.maybe_executed is False, "not found is a definite answer")
        known = error.__cause__ is not None or error.status_code is None
        require(known, "an answer of a server must be kept as the error's cause")


class MannersContract:
    """What nobody should ever have to look for."""

    def test_key_shows_up_nowhere(self, rig: Rig) -> None:
        """The planted key is in no repr, no text, no error, no log, no request."""
        if rig.secret is None:
            return
        secret = rig.secret
        with watched() as seen:
            texts = _everything_told(rig)
        texts += [seen.printed, seen.logged, repr(dict(rig.sent(rig.finished.ref)))]
        for text in texts:
            require(secret not in text, f"the planted key shows up in {text!r}")

    def test_adapter_only_translates_and_calls(self, rig: Rig) -> None:
        """It does not sleep, and does not print."""
        with watched() as seen:
            adapter = rig.adapter()
            submitted = rig.submit(adapter)
            adapter.retrieve(submitted.ref)
            adapter.find(
                SubmissionQuery(submission_id=submitted.submission_id, base_model=rig.base_model)
            )
            rig.discard(adapter, submitted.ref)
            adapter.close()
        require(not seen.sleepers, f"an adapter never sleeps; these did: {seen.sleepers}")
        require(not seen.printed, f"an adapter never prints; it printed {seen.printed!r}")

    def test_adapter_knows_only_its_own_part(self, rig: Rig) -> None:
        """No module of its package holds anything of the journal, planning or the registry."""
        rig.adapter()
        package = str(rig.info.training).partition(":")[0].rpartition(".")[0]
        modules = [m for name, m in sys.modules.items() if name.startswith(f"{package}.")]
        found = sorted(
            f"{module.__name__}.{name}"
            for module in modules
            for name, value in vars(module).items()
            if _room(value) in _OTHER_ROOMS
        )
        require(modules, f"the modules of {package} must be loaded by now")
        require(not found, f"an adapter must not use {' or '.join(_OTHER_ROOMS)}: {found}")

    def test_values_can_be_pickled(self, rig: Rig) -> None:
        """What an adapter returns can go to another process and is equal there."""
        adapter, finished = rig.adapter(), rig.finished
        assessment = adapter.assess(
            rig.spec(),
            options=rig.info.options_type.model_validate(dict(rig.needed_options(rig.method))),
            statistics=DatasetStatistics(),
        )
        values: list[object] = [finished.ref, finished.last, finished.submitted.files, assessment]
        if Feature.EVENTS in rig.info.features:
            values.append(tuple(adapter.events(finished.ref)))
        if Feature.JOBS in rig.info.features:
            values.append(adapter.jobs())
        for value in values:
            copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
            require(copy == value, f"{type(value).__name__} is another after pickling: {copy}")


def _room(value: object) -> str:
    """Return the room of ours that a module, class or function belongs to; empty for others."""
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    parts = home.split(".") if isinstance(home, str) else []
    return parts[1] if parts[:1] == ["ftproviders"] and len(parts) > 1 else ""


def _everything_told(rig: Rig) -> list[str]:
    """Return every text that an adapter's user could see or log."""
    adapter = rig.adapter()
    finished = rig.finished
    missing = finished.ref.model_copy(update={"id": "ftnobodyhasthisid"})
    retrieve = partial(as_runtime, adapter, "retrieve", partial(adapter.retrieve, missing))
    error = raised(NotFoundError, retrieve, when="an unknown id")
    told: Sequence[object] = (
        adapter,
        adapter.settings,
        adapter.account(),
        adapter.public_account(),
        adapter.preflight(),
        adapter.check(),
        finished,
        error,
        error.__dict__,
        adapter.translate(RuntimeError(rig.secret), operation="create"),
    )
    texts = [text for value in told for text in (str(value), repr(value))]
    texts.append(adapter.settings.model_dump_json())
    adapter.close()
    return texts
