"""Adapters that lie, each in one way: the contract suite catches every one of them.

Each liar is the honest in-memory provider with one thing changed. `caught` also runs the same test
on the honest one, so that a test that always fails proves nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from ftproviders import registry
from ftproviders.errors import NotFoundError
from ftproviders.provider import Feature, HyperparameterInfo, ProviderOptions, TrainingAdapter
from ftproviders.schema.dataset import DatasetStatistics, PreparedFile
from ftproviders.schema.job import (
    Absent,
    FileRef,
    FindResult,
    Found,
    JobEvent,
    JobPage,
    JobRef,
    JobSnapshot,
    JobSpec,
    JobStatus,
    SubmissionQuery,
)
from ftproviders.schema.plan import Assessment
from ftproviders.testing import AdapterContract, MemoryServer, Rig
from ftproviders.testing.memory import PROVIDER, wire
from ftproviders.testing.memory import adapter as memory_module
from ftproviders.testing.memory.adapter import MemoryAdapter
from ftproviders.testing.memory.options import MARKER, MemoryOptions, MemorySettings
from tests.contract.memory_rig import KEY, MemoryRig

pytest_plugins = ("pytester",)

Check = Callable[[Rig], None]
suite = AdapterContract()


@pytest.fixture
def caught(tmp_path: Path) -> Callable[..., str]:
    """Return what says how a check fails for a liar, and that the honest adapter passes it."""

    def run(test: Check, liar: type[MemoryAdapter]) -> str:
        test(rig_of(MemoryAdapter, tmp_path))
        with pytest.raises(AssertionError) as failure:
            test(rig_of(liar, tmp_path))
        return str(failure.value)

    return run


def rig_of(adapter: type[MemoryAdapter], folder: Path) -> MemoryRig:
    rig = MemoryRig(folder, MemoryServer(api_key=KEY))
    rig.adapter_class = adapter
    rig.info = adapter.info
    return rig


def knobs(**changes: HyperparameterInfo) -> tuple[HyperparameterInfo, ...]:
    """Return the honest hyperparameters with some replaced or added."""
    honest = {knob.name: knob for knob in PROVIDER.hyperparameters}
    return tuple({**honest, **changes}.values())


# --- features -----------------------------------------------------------------------------------


class DeclaredNotOverridden(MemoryAdapter):
    pause = TrainingAdapter.pause


class OverriddenNotDeclared(MemoryAdapter):
    info = dataclasses.replace(PROVIDER, features=PROVIDER.features - {Feature.FIND_FILE})


def test_feature_declared_and_not_overridden(caught: Callable[..., str]) -> None:
    told = caught(suite.test_declared_features_are_overridden, DeclaredNotOverridden)
    assert "pause" in told
    assert "not overridden" in told


def test_feature_overridden_and_not_declared(caught: Callable[..., str]) -> None:
    told = caught(suite.test_overridden_features_are_declared, OverriddenNotDeclared)
    assert "find_file" in told
    assert "not declared" in told


# --- hyperparameters ----------------------------------------------------------------------------


class DeclaredNotSent(MemoryAdapter):
    @override
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        kept = spec.hyperparameters.model_copy(update={"learning_rate_multiplier": None})
        less = spec.model_copy(update={"hyperparameters": kept})
        return super().create(less, options=options, files=files, submission_id=submission_id)


class SentUnderAnotherName(MemoryAdapter):
    # The plan tells the user "batch_size"; the request goes on to say "rows_per_step".
    info = dataclasses.replace(
        PROVIDER,
        hyperparameters=knobs(
            batch_size=HyperparameterInfo(name="batch_size", minimum=1, auto=True)
        ),
    )

    @override
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        chosen = MemoryOptions.model_validate(options.model_dump())
        body = wire.create_body(
            PROVIDER, spec, options=chosen, files=files, submission_id=submission_id
        )
        answer = self._connection.ask("create", **body)
        return wire.snapshot(answer, account=self.public_account()).ref


class IgnoredInSilence(MemoryAdapter):
    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        honest = super().assess(spec, options=options, statistics=statistics)
        silent = tuple(setting for setting in honest.ignored if setting.name != "lora_r")
        return honest.model_copy(update={"ignored": silent})


class MappedInSilence(MemoryAdapter):
    @override
    def assess(
        self, spec: JobSpec, *, options: ProviderOptions, statistics: DatasetStatistics
    ) -> Assessment:
        honest = super().assess(spec, options=options, statistics=statistics)
        return honest.model_copy(update={"mapped": ()})


def test_hyperparameter_declared_and_not_sent(caught: Callable[..., str]) -> None:
    assert "learning_rate_multiplier must be sent as learning_rate_multiplier" in caught(
        suite.test_declared_hyperparameters_are_sent, DeclaredNotSent
    )


def test_hyperparameter_sent_under_a_wrong_name(caught: Callable[..., str]) -> None:
    assert "batch_size must be sent as batch_size" in caught(
        suite.test_declared_hyperparameters_are_sent, SentUnderAnotherName
    )


def test_setting_ignored_and_not_in_the_plan(caught: Callable[..., str]) -> None:
    assert "lora_r is ignored and not in ignored" in caught(
        suite.test_undeclared_hyperparameters_are_ignored_aloud, IgnoredInSilence
    )


def test_setting_mapped_and_not_in_the_plan(caught: Callable[..., str]) -> None:
    assert "batch_size is sent as rows_per_step" in caught(
        suite.test_mapped_hyperparameters_are_reported, MappedInSilence
    )


# --- events, find, status -----------------------------------------------------------------------


class NewestEventFirst(MemoryAdapter):
    @override
    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        return super().events(ref, after=after)[::-1]


class TrustsTheFilter(MemoryAdapter):
    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        wanted = {MARKER: query.submission_id}
        page = self._connection.ask("find", metadata=wanted)
        for job in page["data"]:
            return Found(snapshot=wire.snapshot(job, account=self.public_account()))
        return super().find(query)


class LooksAtOnePage(MemoryAdapter):
    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        page: JobPage = self.jobs()
        return wire.matched(query, page.jobs)


class AdoptsLookalikes(MemoryAdapter):
    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        answer = super().find(query)
        similar = () if isinstance(answer, (Found, Absent)) else answer.similar
        return Found(snapshot=similar[0]) if similar else answer


class ClaimsAbsence(MemoryAdapter):
    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        answer = super().find(query)
        return answer if isinstance(answer, Found) else Absent()


class UnknownIsFailed(MemoryAdapter):
    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        snapshot = super().retrieve(ref)
        if snapshot.status is JobStatus.UNKNOWN:
            return snapshot.model_copy(update={"status": JobStatus.FAILED})
        return snapshot


def test_events_newest_first(caught: Callable[..., str]) -> None:
    assert "oldest first" in caught(suite.test_events_come_oldest_first, NewestEventFirst)


def test_find_trusts_the_servers_filter(caught: Callable[..., str]) -> None:
    assert "nobody has was Found" in caught(
        suite.test_find_does_not_trust_a_filter, TrustsTheFilter
    )


def test_find_looks_at_one_page(caught: Callable[..., str]) -> None:
    assert "followed by 4 other jobs" in caught(suite.test_find_looks_at_every_page, LooksAtOnePage)


def test_find_adopts_a_lookalike(caught: Callable[..., str]) -> None:
    assert "nobody has was Found" in caught(
        suite.test_foreign_job_of_the_same_file_is_not_ours, AdoptsLookalikes
    )


def test_find_claims_absence_without_proof(caught: Callable[..., str]) -> None:
    assert "reads_own_writes" in caught(suite.test_find_of_nothing_is_honest, ClaimsAbsence)


def test_unknown_status_mapped_to_failed(caught: Callable[..., str]) -> None:
    assert "must be unknown, not failed" in caught(
        suite.test_unknown_word_is_unknown, UnknownIsFailed
    )


# --- secrets, snapshots, files ------------------------------------------------------------------


class SecretInRepr(MemoryAdapter):
    @override
    def __repr__(self) -> str:
        key = self._settings.api_key
        return f"<MemoryAdapter key={key.get_secret_value() if key else None}>"


class SecretInError(MemoryAdapter):
    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        try:
            return super().retrieve(ref)
        except NotFoundError as error:
            error.raw = {"request": {"Authorization": f"Bearer {KEY}"}}
            raise


class ChangesInPlace(MemoryAdapter):
    def __init__(self, settings: MemorySettings, *, server: MemoryServer | None = None) -> None:
        super().__init__(settings, server=server)
        self._kept: dict[str, JobSnapshot] = {}

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        fresh = super().retrieve(ref)
        kept = self._kept.setdefault(ref.id, fresh)
        kept.__dict__.update(fresh.__dict__)
        return kept


class PromisesADigest(MemoryAdapter):
    @override
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        sent = super().upload(file, purpose=purpose, submission_id=submission_id)
        return sent.model_copy(update={"sha256": file.sha256, "bytes": file.bytes})


class Talks(MemoryAdapter):
    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        print("reading", ref)
        return super().retrieve(ref)


class ForgetsOptions(MemoryAdapter):
    @override
    def create(self, spec: JobSpec, **given: Any) -> JobRef:
        return super().create(spec, **{**given, "options": ProviderOptions()})


def test_secret_in_repr(caught: Callable[..., str]) -> None:
    assert "planted key shows up" in caught(suite.test_key_shows_up_nowhere, SecretInRepr)


def test_secret_in_an_errors_payload(caught: Callable[..., str]) -> None:
    assert "planted key shows up" in caught(suite.test_key_shows_up_nowhere, SecretInError)


def test_snapshot_changes_in_place(caught: Callable[..., str]) -> None:
    assert "changed in place" in caught(suite.test_snapshots_never_change, ChangesInPlace)


def test_upload_repeats_the_promised_digest(caught: Callable[..., str]) -> None:
    assert "not those it was" in caught(
        suite.test_upload_hashes_what_it_really_sends, PromisesADigest
    )


def test_adapter_prints(caught: Callable[..., str]) -> None:
    assert "it printed 'reading" in caught(suite.test_adapter_only_translates_and_calls, Talks)


def test_options_do_not_reach_the_request(caught: Callable[..., str]) -> None:
    assert "must be sent" in caught(suite.test_options_are_sent, ForgetsOptions)


def test_adapter_knows_the_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    suite.test_adapter_knows_only_its_own_part(rig_of(MemoryAdapter, tmp_path))
    for borrowed in (registry, registry.info):
        monkeypatch.setattr(memory_module, "borrowed", borrowed, raising=False)
        with pytest.raises(AssertionError, match=r"memory\.adapter\.borrowed"):
            suite.test_adapter_knows_only_its_own_part(rig_of(MemoryAdapter, tmp_path))


class HandsOutOtherBytes(MemoryAdapter):
    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        told = super().download_file(file_id, target=target)
        target.write_bytes(target.read_bytes().replace(b"kettle", b"teapot"))
        return told


class AddsToTheTarget(MemoryAdapter):
    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        before = target.read_bytes() if target.exists() else b""
        told = super().download_file(file_id, target=target)
        target.write_bytes(before + target.read_bytes())
        return told


class HandsOutNothing(MemoryAdapter):
    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        try:
            return super().download_file(file_id, target=target)
        except NotFoundError:
            target.write_bytes(b"")
            empty = hashlib.sha256(b"").hexdigest()
            return FileRef(provider="memory", id=file_id, name="x", sha256=empty, bytes=0)


@pytest.mark.parametrize("liar", [HandsOutOtherBytes, AddsToTheTarget])
def test_download_of_other_bytes(caught: Callable[..., str], liar: type[MemoryAdapter]) -> None:
    assert "bytes that were sent" in caught(suite.test_downloaded_file_is_what_was_sent, liar)


def test_download_of_what_is_not_there(caught: Callable[..., str]) -> None:
    assert "download of file-nobody" in caught(
        suite.test_download_of_no_file_says_so, HandsOutNothing
    )


# --- the whole suite, as a user runs it ---------------------------------------------------------

_USERS_TEST = """
import pytest

from ftproviders.testing import AdapterContract, MemoryServer
from tests.contract import test_planted_lies as lies


class TestLiar(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, tmp_path_factory):
        return lies.rig_of(lies.{liar}, tmp_path_factory.mktemp("liar"))
"""


@pytest.mark.parametrize(
    ("liar", "failing"),
    [("NewestEventFirst", "test_events_come_oldest_first"), ("MemoryAdapter", None)],
)
def test_whole_suite_as_a_user_runs_it(
    pytester: pytest.Pytester, liar: str, failing: str | None
) -> None:
    pytester.makepyfile(_USERS_TEST.replace("{liar}", liar))
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")
    outcomes: Mapping[str, int] = result.parseoutcomes()
    assert outcomes["passed"] > 40
    if failing is None:
        assert "failed" not in outcomes
        assert "errors" not in outcomes
    else:
        result.stdout.fnmatch_lines([f"FAILED *::{failing}*"])
