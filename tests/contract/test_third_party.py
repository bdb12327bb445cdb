"""The contract, kept by a third party's package that is found through its entry point alone."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from ftproviders import registry
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError, MissingCredentialsError, UnknownProviderError
from ftproviders.provider import HostingAdapter, TrainingAdapter
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import FileRef, JobRef, JobSnapshot, JobStatus, TunedModel
from ftproviders.schema.value import JsonValue
from ftproviders.testing import AdapterContract, HostingContract, HostingRig, Rig
from tests.contract.rigs import ANSWERS, write_rows
from tests.examples.fences import blocks, missing_lines
from tests.third_party.installing import NIMBUS, install
from tests.third_party.nimbus_server import NimbusServer

KEY = "planted-nimbus-key-93ab"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the package into a folder of its own, which is on the path for this module."""
    target = install(NIMBUS, tmp_path_factory.mktemp("site"))
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    yield target
    sys.path.remove(str(target))
    for name in [n for n in sys.modules if n.partition(".")[0] == "ftproviders_nimbus"]:
        del sys.modules[name]


class NimbusRig(Rig):
    target = "ftproviders_nimbus:PROVIDER"
    base_model = "cumulus-7b"
    statuses: Mapping[str, JobStatus] = {
        "PREPARING": JobStatus.PENDING,
        "TRAINING": JobStatus.RUNNING,
        "STOPPING": JobStatus.CANCELLING,
        "STOPPED": JobStatus.CANCELLED,
        "DONE": JobStatus.SUCCEEDED,
        "BROKEN": JobStatus.FAILED,
    }
    options: Mapping[str, JsonValue] = {"region": "south"}
    secret = KEY
    crowd_size = 4

    def __init__(self, folder: Path) -> None:
        self.info = registry.info("nimbus")
        self.folder = folder
        self.server = NimbusServer(key=KEY)

    @override
    def make_adapter(self) -> TrainingAdapter:
        return registry.training_adapter("nimbus", *settings(self.folder), **self.arguments)

    @property
    def arguments(self) -> Mapping[str, str]:
        return {"url": self.server.url, "api_key": KEY}

    @override
    def training_file(self, method: Method) -> Path:
        path = self.folder / "train.jsonl"
        return path if path.exists() else write_rows(path, method)

    @override
    def sent(self, ref: JobRef) -> Mapping[str, JsonValue]:
        body = dict(self.server.received[ref.id])
        return {**body, **body.pop("config")}

    @override
    def snapshot_with_word(self, word: str) -> JobSnapshot:
        adapter = self.adapter()
        ref = self.submit(adapter).ref
        self.server.enter(self.server.tunings[ref.id], [word])
        return adapter.retrieve(ref)

    @override
    def make_foreign_job(self, file: FileRef) -> JobRef:
        tuning = self.server.create({"model": self.base_model, "file": file.id})
        account = self.adapter().public_account()
        return JobRef(provider="nimbus", account=account, id=tuning["id"])

    @override
    def close(self) -> None:
        super().close()
        self.server.close()


class NimbusHostingRig(HostingRig):
    target = "ftproviders_nimbus:PROVIDER"
    secret = KEY
    question = "I would like my money back"

    def __init__(self, folder: Path) -> None:
        self.training = NimbusRig(folder)
        self.info = self.training.info

    @override
    def make_adapter(self) -> HostingAdapter:
        given = settings(self.training.folder)
        return registry.hosting_adapter("nimbus", *given, **self.training.arguments)

    @override
    def model(self) -> TunedModel:
        model = self.training.finished.last.model
        assert model is not None
        return model

    @override
    def expected(self, answer: str) -> bool:
        return answer == ANSWERS["I want my money back"]

    @override
    def close(self) -> None:
        super().close()
        self.training.close()


def settings(folder: Path) -> tuple[Config]:
    return (Config(home=folder, cache=folder, config_file=folder / "config.toml"),)


@pytest.mark.usefixtures("site")
class TestNimbus(AdapterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(cls, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NimbusRig]:
        rig = NimbusRig(tmp_path_factory.mktemp("nimbus"))
        yield rig
        rig.close()


@pytest.mark.usefixtures("site")
class TestNimbusHosting(HostingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def rig(
        cls, site: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[NimbusHostingRig]:
        rig = NimbusHostingRig(tmp_path_factory.mktemp("nimbus-hosting"))
        yield rig
        rig.close()


def test_provider_is_there_only_while_it_is_installed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nimbus" in registry.names()
    assert registry.info("nimbus").install_line == "pip install ftproviders-nimbus"
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(site)])
    importlib.invalidate_caches()
    assert "nimbus" not in registry.names()
    with pytest.raises(UnknownProviderError, match="nimbus"):
        registry.info("nimbus")


def test_two_packages_may_not_claim_one_name(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[ftproviders.providers]\nnimbus = other:PROVIDER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"Two packages claim .*nimbus") as caught:
        registry.info("nimbus")
    assert "ftproviders-nimbus" in str(caught.value)
    assert "other" in str(caught.value)


def test_preflight_says_which_key_is_missing(site: Path, tmp_path: Path) -> None:
    adapter = registry.training_adapter("nimbus", *settings(tmp_path), environ={})
    problem = adapter.preflight()
    assert isinstance(problem, MissingCredentialsError)
    assert "NIMBUS_API_KEY" in problem.hint


def test_own_variable_is_read(site: Path, tmp_path: Path) -> None:
    environ = {"NIMBUS_API_KEY": KEY, "FTPROVIDERS_NIMBUS_URL": "https://nimbus.example"}
    adapter = registry.training_adapter("nimbus", *settings(tmp_path), environ=environ)
    assert adapter.preflight() is None
    assert adapter.account() == "nimbus.example"
    assert KEY not in repr(adapter.settings)


def test_page_shows_what_the_command_line_says_of_it(site: Path, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "add-a-provider.md"
    (block,) = [b for b in blocks(page) if "ftproviders providers nimbus" in b.code]
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), *(p for p in sys.path if p)]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FTPROVIDERS_HOME": str(tmp_path / "home"),
    }
    environ.pop("NIMBUS_API_KEY", None)
    done = subprocess.run(
        ["bash", "-c", block.code], env=environ, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert block.expected is not None
    assert missing_lines(block.expected, done.stdout) == []


def program(
    site: Path, folder: Path, code: str
) -> tuple[NimbusServer, subprocess.CompletedProcess[str]]:
    """Run a user's program with nothing but the package installed and two variables set."""
    server = NimbusServer(key=KEY)
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), *(p for p in sys.path if p)]),
        "FTPROVIDERS_NIMBUS_URL": server.url,
        "FTPROVIDERS_POLL_SECONDS": "0.01",
        "NIMBUS_API_KEY": KEY,
    }
    file = write_rows(folder / "train.jsonl")
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(file)], env=environ, capture_output=True, text=True
        )
    finally:
        server.close()
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    return server, done


_MOVE = """
import json, sys
from pathlib import Path
import ftproviders as ft

file = Path(sys.argv[1])
base_model = {"nimbus": "cumulus-7b", "memory": "memory-small"}
spec = ft.JobSpec(
    provider="nimbus",
    base_model=base_model,
    training_file=str(file),
    hyperparameters={"n_epochs": 2, "lora_r": 4},
    seed=7,
)
there = ft.submit(spec)
there.wait()
away = ft.submit(ft.plan_from(there.ref, provider="memory"))
plan = ft.plan_from(away.ref, provider="nimbus", suffix="kettle")
print(json.dumps({one.name: one.outcome for one in plan.moved_from.settings}))
plain = ft.submit(spec.model_copy(update={"provider": "memory", "base_model": "memory-large"}))
file.unlink()
back = ft.plan_from(away.ref, provider="nimbus", seed=8)
print(json.dumps([back.moved_from.files[0].origin, ft.submit(back).ref.provider]))
try:
    ft.plan_from(there.ref, provider="memory", seed=9)
except ft.ConfigurationError as error:
    print(error)
try:
    ft.plan_from(plain.ref, provider="nimbus")
except ft.ConfigurationError as error:
    print(error)
"""


def test_jobs_move_there_and_back(site: Path, tmp_path: Path) -> None:
    """It hands out no files and tells no settings: then the journal has to."""
    server, done = program(site, tmp_path, _MOVE)
    settings, back, missing, nameless = done.stdout.splitlines()
    assert json.loads(settings) == {
        "n_epochs": "mapped",
        "lora_r": "mapped",
        "seed": "taken",
        "suffix": "ignored",
    }
    assert json.loads(back) == ["downloaded", "nimbus"]
    assert "train.jsonl cannot be read any more" in missing
    assert "nimbus has no download file" in missing
    assert "--training-file FILE" in missing
    assert "nimbus is not known to have the model 'memory-large'" in nameless
    assert len(server.tunings) == 2


_WALK = """
import json, sys
import ftproviders as ft

job = ft.submit(ft.JobSpec(provider="nimbus", base_model="cumulus-7b", training_file=sys.argv[1]))
job.wait()
reply = job.chat("Where is my parcel?")
print(json.dumps([job.status, job.needs_consent(), reply.text]))
"""


def test_whole_walk_in_another_process(site: Path, tmp_path: Path) -> None:
    server, done = program(site, tmp_path, _WALK)
    assert json.loads(done.stdout) == ["succeeded", True, "parcel-where"]
    assert len(server.tunings) == 1
