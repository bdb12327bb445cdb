"""A job like an existing one: every ordered pair of providers, and what may stand in the way."""

from __future__ import annotations

import errno
import hashlib
import stat
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError
from typing_extensions import override

from ftproviders.adapters.local import PROVIDER as LOCAL
from ftproviders.errors import (
    ConfigurationError,
    DatasetError,
    NotFoundError,
    ProviderConnectionError,
)
from ftproviders.provider import missing_modules
from ftproviders.schema.job import FileRef, JobRef
from ftproviders.schema.plan import JobPlan
from ftproviders.testing.memory.adapter import MemoryAdapter
from tests.runtime.moving import KNOBS, LOCAL_MODEL, MODEL, PROVIDERS, MovingWorld

Make = Callable[..., MovingWorld]

pytestmark = pytest.mark.skipif(
    missing_modules(LOCAL) is not None, reason="extra `local` is missing"
)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[MovingWorld] = []

    def world(**behaviour: object) -> MovingWorld:
        made.append(MovingWorld(tmp_path, **behaviour))
        return made[-1]

    yield world
    for one in made:
        one.close()


@pytest.fixture
def world(make: Make) -> MovingWorld:
    return make()


def sha256(path: Path | str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def outcomes(plan: JobPlan) -> dict[str, str]:
    assert plan.moved_from is not None
    return {one.name: one.outcome for one in plan.moved_from.settings if one.outcome != "default"}


# --- every pair -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("here", "there"), list(product(PROVIDERS, PROVIDERS)))
def test_a_job_moves_once_and_whole(world: MovingWorld, here: str, there: str) -> None:
    """With the journal and the files, then without both: the same submission, one job."""
    ref = world.finished(here)
    before = world.count(there)
    digests = {sha256(world.training), sha256(world.validation)}
    # One change, since at its own provider the job would be the one that is there already.
    changes = {"provider": there, "base_model": world.models[there], "seed": 8}
    with_journal = world.client().plan_from(ref, **changes)
    assert with_journal.moved_from is not None
    assert [file.origin for file in with_journal.moved_from.files] == ["kept", "kept"]
    world.training.unlink()
    world.validation.unlink()

    client = world.forget()
    plan = client.plan_from(str(ref), **changes)

    assert plan.submission_id == with_journal.submission_id
    assert plan.moved_from is not None
    assert (plan.moved_from.ref, plan.moved_from.status) == (str(ref), "succeeded")
    assert {file.sha256 for file in plan.moved_from.files} == digests
    for file in plan.moved_from.files:
        path = Path(file.path)
        assert file.origin == "downloaded"
        assert path.parent == world.home / "downloads"
        assert file.sha256[:16] in path.name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((world.home / "downloads").stat().st_mode) == 0o700
    assert not [p for p in (world.home / "downloads").iterdir() if p.name.startswith(".")]
    assert world.count(there) == before, "a plan sends nothing"

    first = client.submit(plan)
    again = client.submit(client.plan_from(ref, **changes))
    assert (again.ref, again.reused) == (first.ref, True)
    assert world.count(there) == before + 1
    assert world.ended(client, first.ref).status.value == "succeeded"
    arrived = world.arrived(first.ref)
    assert {**arrived, **KNOBS, "seed": 8, "suffix": "kettle"} == arrived
    if "digest" in arrived:
        assert arrived["digest"] in digests
    else:
        assert any(f".{digest[:16]}." in arrived["file"] for digest in digests)


def test_what_becomes_of_each_setting_is_said(world: MovingWorld) -> None:
    ref = world.finished(
        "local",
        hyperparameters={**KNOBS, "learning_rate": 0.001},
        options={"local": {"tuning": "lora"}},
    )
    plan = world.client().plan_from(
        ref,
        provider="memory",
        base_model="memory-small",
        suffix="other",
        hyperparameters={"n_epochs": 3},
    )
    assert outcomes(plan) == {
        "n_epochs": "changed",
        "batch_size": "mapped",
        "learning_rate": "ignored",
        "seed": "taken",
        "suffix": "changed",
    }
    moved = plan.moved_from
    assert moved is not None
    found = {one.name: one for one in moved.settings}
    assert (found["n_epochs"].before, found["n_epochs"].after) == (2, 3)
    assert (found["learning_rate"].before, found["learning_rate"].after) == (0.001, None)
    assert found["batch_size"].detail == "rows_per_step"
    assert not any(one.told for one in moved.settings)
    assert (moved.base_model, moved.provider) == (LOCAL_MODEL, "local")
    assert any("Option tuning of local" in what for what in moved.lost)
    assert any("The tuned model" in what for what in moved.lost)
    assert plan.spec.note == f"from {ref}"


def test_defaults_of_the_new_provider_are_marked(world: MovingWorld) -> None:
    plan = world.client().plan_from(
        world.finished("memory"), provider="local", base_model=LOCAL_MODEL
    )
    assert plan.moved_from is not None
    by_default = {one.name for one in plan.moved_from.settings if one.outcome == "default"}
    assert {"lora_r", "lora_alpha"} <= by_default
    assert not by_default & {*KNOBS, "seed", "suffix"}


# --- jobs that others made ------------------------------------------------------------------------


def test_a_job_that_others_made_moves_with_what_the_service_tells(world: MovingWorld) -> None:
    ref = world.finished("openai", hyperparameters={"n_epochs": 3}, seed=None, suffix=None)
    client = world.forget()
    world.training.unlink()
    plan = client.plan_from(ref, provider="memory", base_model="memory-small")
    moved = plan.moved_from
    assert moved is not None
    stated = plan.spec.hyperparameters.stated
    assert stated["n_epochs"] == 3
    assert stated["learning_rate_multiplier"], "the service has chosen it, and tells it"
    assert {"n_epochs", "seed"} <= {one.name for one in moved.settings if one.told}
    assert plan.spec.seed is not None


def test_what_the_service_has_not_chosen_yet_is_not_taken(world: MovingWorld) -> None:
    client = world.client()
    spec = world.spec("openai", hyperparameters={}, suffix=None)
    ref = client.submit(client.plan(spec)).ref
    plan = client.plan_from(ref, provider="memory", base_model="memory-small")
    assert dict(plan.spec.hyperparameters.stated) == {}
    assert any("may then mean another submission" in warning for warning in plan.warnings)


def test_options_of_the_job_go_with_it_where_they_mean_the_same(world: MovingWorld) -> None:
    ref = world.finished("openai", options={"openai": {"metadata": {"team": "search"}}})
    client = world.forget()
    same = client.plan_from(ref, provider="openai", seed=9)
    assert same.spec.options["openai"]["metadata"] == {"team": "search"}
    other = client.plan_from(ref, provider="memory", base_model="memory-small")
    assert other.moved_from is not None
    assert any("Option metadata of openai" in what for what in other.moved_from.lost)
    changed = client.plan_from(ref, seed=9, options={"openai": {"wandb": "kettles"}})
    assert changed.provider == "openai", "nobody named another"
    assert set(changed.spec.options["openai"]) == {"metadata", "wandb"}


@pytest.mark.parametrize("journal", [True, False])
def test_a_training_type_stays_behind_where_the_new_model_has_none_such(
    world: MovingWorld, journal: bool
) -> None:
    """The service tells one of every job; Foundry's open models are not trained in a region."""
    ref = world.finished("azure-openai")
    client = world.client() if journal else world.forget()
    plan = client.plan_from(ref, base_model="gpt-4.1-nano")
    assert plan.resolved["training_type"] == "standard"
    moved = client.plan_from(ref, base_model="qwen-32b")
    assert moved.resolved["training_type"] == "globalStandard"
    assert not any("has no training type" in warning for warning in moved.warnings)
    assert any("outside of the region" in warning for warning in moved.warnings)
    assert moved.moved_from is not None
    assert "Option training_type of azure-openai: qwen-32b does not have it." in (
        moved.moved_from.lost
    )
    stated = {"azure-openai": {"training_type": "standard"}}
    kept = client.plan_from(ref, base_model="qwen-32b", options=stated)
    assert kept.resolved["training_type"] == "standard", "what is stated is sent, with a warning"
    assert any("has no training type" in warning for warning in kept.warnings)


def test_a_chained_job_begins_with_the_base_of_its_base(world: MovingWorld) -> None:
    first = world.finished("openai")
    client = world.client()
    tuned = client.job(first).model
    assert tuned is not None
    ref = world.finished("openai", base_model=tuned.name, suffix="second")
    with pytest.raises(ConfigurationError, match=f"the model '{MODEL}'"):
        client.plan_from(ref, provider="memory")
    plan = client.plan_from(ref, provider="memory", base_model="memory-small")
    assert plan.moved_from is not None
    assert any("went on from the tuned model" in what for what in plan.moved_from.lost)
    assert client.plan_from(ref, seed=3).base_model == tuned.name


@pytest.mark.parametrize("forgotten", [False, True])
def test_where_data_may_go_moves_along_also_without_the_journal(
    world: MovingWorld, forgotten: bool
) -> None:
    options = {"azure-openai": {"training_type": "globalStandard"}}
    ref = world.finished("azure-openai", options=options)
    client = world.forget() if forgotten else world.client()
    plan = client.plan_from(ref, seed=9)
    assert plan.resolved["training_type"] == "globalStandard"
    client.submit(plan)
    bodies = [r.body for r in world.azure.requests_of("createFineTuningJob")]
    assert [body["trainingType"] for body in bodies] == ["globalStandard"] * 2
    assert [body["seed"] for body in bodies] == [7, 9]


# --- models ---------------------------------------------------------------------------------------


def test_a_mapping_of_models_goes_with_the_job(world: MovingWorld) -> None:
    ref = world.finished("memory", base_model={"memory": "memory-small", "openai": MODEL})
    client = world.client()
    assert client.plan_from(ref, provider="openai").base_model == MODEL
    with pytest.raises(ConfigurationError) as caught:
        client.plan_from(ref, provider="local")
    assert "local is not known to have the model 'memory-small'" in str(caught.value)
    assert "smollm2-135m" in caught.value.hint
    with pytest.raises(ConfigurationError, match="names no model for provider local"):
        client.plan_from(ref, provider="local", base_model={"memory": "memory-large"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_spec_runs_everywhere_by_its_provider_alone(world: MovingWorld, provider: str) -> None:
    plan = world.client().plan(world.spec(provider, base_model=world.models))
    assert plan.base_model == world.models[provider]


def test_candidates_are_named_nearest_first_and_only_those_of_the_method(
    world: MovingWorld,
) -> None:
    client = world.client()
    ref = world.finished("memory")
    with pytest.raises(ConfigurationError) as caught:
        client.plan_from(ref, provider="openai")
    assert "gpt-4.1" in caught.value.hint
    assert "o4-mini" not in caught.value.hint, "that one is for reinforcement"
    assert "--model" in caught.value.hint


# --- files ----------------------------------------------------------------------------------------


def test_a_file_that_has_changed_gives_way_to_the_copy_of_the_provider(world: MovingWorld) -> None:
    ref = world.finished("memory")
    was = sha256(world.training)
    world.training.write_text(world.training.read_text() * 2)
    plan = world.client().plan_from(ref, seed=9)
    assert plan.training.sha256 == was
    assert any("has changed since it was submitted" in warning for warning in plan.warnings)
    assert plan.moved_from is not None
    assert [file.origin for file in plan.moved_from.files] == ["downloaded", "kept"]


class OtherBytes(MemoryAdapter):
    """A provider that hands out what nobody sent."""

    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        told = super().download_file(file_id, target=target)
        target.write_bytes(target.read_bytes() * 2)
        return told


@pytest.mark.parametrize("journal", [True, False])
def test_other_bytes_than_recorded_are_never_used(world: MovingWorld, journal: bool) -> None:
    """Without a journal, the digits in the file's name are what is left of the digest."""
    ref = world.finished("memory")
    world.training.unlink()
    world.memory_class = OtherBytes
    client = world.client() if journal else world.forget()
    with pytest.raises(DatasetError, match="other bytes than were recorded") as caught:
        client.plan_from(ref, seed=9)
    assert "--training-file" in caught.value.hint
    assert list((world.home / "downloads").iterdir()) == []


class FullDisk(MemoryAdapter):
    @override
    def download_file(self, file_id: str, *, target: Path) -> FileRef:
        target.write_bytes(b"the beginning of it")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_a_sentence_and_leaves_nothing(world: MovingWorld) -> None:
    ref = world.finished("memory")
    world.training.unlink()
    world.memory_class = FullDisk
    with pytest.raises(DatasetError, match="No space left on device") as caught:
        world.client().plan_from(ref, seed=9)
    assert "FTPROVIDERS_HOME" in caught.value.hint
    assert list((world.home / "downloads").iterdir()) == []


def test_a_download_never_replaces_other_bytes(world: MovingWorld) -> None:
    ref = world.finished("memory")
    world.training.unlink()
    client = world.client()
    path = client.plan_from(ref, seed=9).training.path
    assert client.plan_from(ref, seed=9).training.path == path
    path.write_text("somebody's own\n")
    with pytest.raises(DatasetError, match="there already, with other bytes"):
        client.plan_from(ref, seed=9)
    assert path.read_text() == "somebody's own\n"


@pytest.mark.parametrize("how", ["refused", "deleted"])
def test_a_file_that_nobody_has_is_asked_for(make: Make, how: str) -> None:
    world = make(hands_out_data=how != "refused")
    ref = world.finished("openai")
    digest = sha256(world.training)
    world.training.rename(world.folder / "elsewhere.jsonl")
    client = world.client()
    if how == "deleted":
        session = client._session
        (file,) = client.job(ref).snapshot.training_files
        adapter = session.training("openai")
        adapter.delete_file(FileRef(provider="openai", id=file, name="x", sha256=digest, bytes=1))
    with pytest.raises(ConfigurationError) as caught:
        client.plan_from(ref, provider="memory", base_model="memory-small")
    said = str(caught.value)
    assert "train.jsonl" in said
    assert digest in said
    assert "cannot be read any more" in said
    assert "--training-file FILE" in caught.value.hint
    given = client.plan_from(
        ref,
        provider="memory",
        base_model="memory-small",
        training_file=str(world.folder / "elsewhere.jsonl"),
    )
    assert given.training.sha256 == digest
    assert not any("digest is another" in warning for warning in given.warnings)


def test_names_of_files_do_not_grow_with_each_move(world: MovingWorld) -> None:
    ref = world.finished("memory")
    world.training.unlink()
    client = world.client()
    name = client.plan_from(ref, seed=9).training.path.name
    for seed in (9, 10):
        ref = client.submit(client.plan_from(ref, seed=seed)).ref
        client = world.forget()
    for file in (world.home / "downloads").iterdir():
        file.unlink()
    assert client.plan_from(ref, seed=11).training.path.name == name


def test_a_given_file_may_differ_and_that_is_said(world: MovingWorld) -> None:
    ref = world.finished("memory")
    plan = world.client().plan_from(ref, training_file=str(world.validation))
    assert plan.moved_from is not None
    assert plan.moved_from.files[0].origin == "given"
    assert plan.moved_from.files[0].recorded_sha256 == sha256(world.training)
    assert any("digest is another" in warning for warning in plan.warnings)
    without = world.client().plan_from(ref, seed=9, validation_file=None)
    assert without.validation is None


# --- what does not answer -------------------------------------------------------------------------


def test_without_the_old_service_the_journal_is_enough(world: MovingWorld) -> None:
    ref = world.finished("openai")
    change = {"provider": "memory", "base_model": "memory-small"}
    there = world.client().plan_from(ref, **change)
    world.openai.stop()
    plan = world.client().plan_from(ref, **change)
    assert plan.submission_id == there.submission_id
    assert any("what the journal has kept is used" in warning for warning in plan.warnings)
    world.training.unlink()
    with pytest.raises(ProviderConnectionError) as caught:
        world.client().plan_from(ref, **change)
    assert "--training-file FILE" in caught.value.hint
    with pytest.raises(ProviderConnectionError):
        world.forget().plan_from(ref, **change)


def test_a_job_that_nobody_knows(world: MovingWorld) -> None:
    for provider in PROVIDERS:
        ref = JobRef(provider=provider, id="ftjob-nobody")
        with pytest.raises(NotFoundError):
            world.client().plan_from(ref, provider="memory", base_model="memory-small")


def test_wrong_changes_cost_no_download(world: MovingWorld) -> None:
    ref = world.finished("memory")
    world.training.unlink()
    client = world.client()
    with pytest.raises(ValidationError, match="max_cost_usd"):
        client.plan_from(ref, max_cost_usd=-1)
    with pytest.raises(ValidationError, match="hyperparameters"):
        client.plan_from(ref, hyperparameters=[1])
    with pytest.raises(ValidationError, match="options"):
        client.plan_from(ref, options="x")
    with pytest.raises(ConfigurationError, match="no provider"):
        client.plan_from(ref, provider="nobody")
    assert not (world.home / "downloads").exists()
    assert not world.memory.requests("download_file")


def test_limits_are_those_of_the_command_not_of_the_old_job(world: MovingWorld) -> None:
    ref = world.finished("memory", max_cost_usd=0.0, note="mine", strict=False)
    plan = world.client().plan_from(ref, seed=9)
    assert plan.spec.max_cost_usd is None
    assert plan.spec.note == f"from {ref}"


def test_a_passing_fault_of_the_download_is_tried_again(world: MovingWorld) -> None:
    ref = world.finished("memory")
    world.training.unlink()
    world.memory.inject(_fault("download_file"))
    assert world.client().plan_from(ref, seed=9).training.rows == 12
    assert len(world.memory.requests("download_file")) == 2


def _fault(operation: str) -> object:
    from ftproviders.testing.memory.faults import Fault

    return Fault(operation, kind="reset", when="after")
