"""From OpenAI to a service that speaks its dialect: what means the same there is taken along."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ftproviders import registry
from ftproviders.adapters._openai_dialect.options import MARKER
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.errors import ConfigurationError, UnsupportedFeatureError
from ftproviders.schema.hyperparameters import Method
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.rig import training_rows
from tests.contract.openai_world import OpenAIWorld
from tests.emulators.calls import GRADER
from tests.runtime.skyline import SkylineAdapter


class SkyWorld(OpenAIWorld):
    """OpenAI and Skyline, each emulated."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sky = OpenAIEmulator(clock=self.clock).start()

    def both(self) -> FineTuneClient:
        client = self.client()
        key, url = SecretStr(self.sky.api_key), self.sky.base_url
        given: dict[str, Any] = {"home": self.folder / "home", "cache": self.folder / "cache"}
        settings = OpenAISettings(**given, api_key=key, base_url=url)
        client._session._training["skyline"] = SkylineAdapter(settings)
        return client

    def close(self) -> None:
        super().close()
        self.sky.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SkyWorld]:
    table = {**registry._BUILT_IN, "skyline": "tests.runtime.skyline:PROVIDER"}
    monkeypatch.setattr(registry, "_BUILT_IN", table)
    made = SkyWorld(tmp_path)
    yield made
    made.close()


def test_options_of_the_dialect_are_taken_along_without_a_journal(world: SkyWorld) -> None:
    """A reinforcement job, whose grader stands nowhere but at the service."""
    world.training_file.write_text(training_rows(Method.REINFORCEMENT))
    own = {"grader": GRADER, "reasoning_effort": "low", "metadata": {"team": "search"}}
    spec = world.spec(
        base_model="o4-mini-2025-04-16",
        method=Method.REINFORCEMENT,
        validation_file=str(world.training_file),
        suffix="kettle",
        options={"openai": own},
    )
    first = world.client()
    ref = first.submit(first.plan(spec)).ref
    for _ in range(20):
        world.server.advance(60)
    world.training_file.unlink()
    with_journal = world.both().plan_from(ref, provider="skyline")
    notes = [warning for warning in with_journal.warnings if "cannot be read any more" in warning]
    assert len(notes) == 1, "training and validation are one file"
    first.close()
    for file in (world.folder / "home").glob("journal.db*"):
        file.unlink()

    client = world.both()
    plan = client.plan_from(ref, provider="skyline", options={"skyline": {"training_type": "sky"}})

    assert plan.base_model == "o4-mini-2025-04-16", "the same model is known there"
    assert plan.method is Method.REINFORCEMENT
    assert plan.moved_from is not None
    ends = plan.moved_from.source_lifecycle
    assert ends.last_job_day is None, "the tables do not speak of a server on this machine"
    assert ends.last_answer_day == date(2026, 10, 22), "which has told that itself"
    assert plan.spec.options["skyline"] == {**own, "training_type": "sky"}
    bare = client.plan_from(ref, provider="skyline")
    assert bare.submission_id == with_journal.submission_id
    job = client.submit(bare)
    (sent,) = [r.body for r in world.sky.requests_of("createFineTuningJob")]
    body: Any = sent
    assert body["method"]["reinforcement"]["grader"] == GRADER
    assert body["method"]["reinforcement"]["hyperparameters"]["reasoning_effort"] == "low"
    assert body["suffix"] == "kettle"
    assert body["metadata"] == {"team": "search", MARKER: job.submission_id}
    assert client.submit(client.plan_from(ref, provider="skyline")).ref == job.ref
    assert len(world.sky.jobs()) == 1


def test_a_model_that_only_the_old_service_has(world: SkyWorld) -> None:
    client = world.both()
    ref = client.submit(client.plan(world.spec(base_model="gpt-3.5-turbo-0125"))).ref
    with pytest.raises(ConfigurationError, match="known to have the model 'gpt-3") as caught:
        client.plan_from(ref, provider="skyline")
    hint = caught.value.hint
    assert "gpt-4.1" in hint
    assert "o4-mini" not in hint, "it is for reinforcement"
    assert client.plan_from(ref, provider="skyline", base_model="gpt-4o").base_model == "gpt-4o"


def test_where_nothing_can_be_tuned_yet_nothing_is_fetched(world: SkyWorld) -> None:
    client = world.both()
    ref = client.submit(client.plan(world.spec())).ref
    world.training_file.unlink()
    with pytest.raises(UnsupportedFeatureError, match="not in this version yet"):
        client.plan_from(ref, provider="hf-jobs", base_model="x")
    assert not world.server.requests_of("downloadFile")
