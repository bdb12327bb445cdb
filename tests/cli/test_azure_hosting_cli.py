"""Deploying at Azure from the command line, over emulators of both planes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ftproviders.adapters.azure_openai.adapter import AzureOpenAIAdapter
from ftproviders.adapters.azure_openai.hosting import AzureOpenAIHosting
from ftproviders.cli import consent
from ftproviders.testing.azure_openai import (
    ArmEmulator,
    AzureBehaviour,
    AzureOpenAIEmulator,
    HostingBehaviour,
    Resource,
)
from ftproviders.testing.openai.clocks import SteerableClock
from tests.cli.program import Run

JOB = """\
provider: azure-openai
base_model: gpt-4.1-mini-2025-04-14
training_file: train.jsonl
"""


@pytest.fixture
def resource() -> Resource:
    # Each request to the data plane moves the clock by a minute: the second question is answered.
    swift = HostingBehaviour(provisioning_seconds=0.2, silent_seconds=100, deleting_seconds=0.2)
    return Resource(clock=SteerableClock(), behaviour=swift)


@pytest.fixture
def arm(resource: Resource, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArmEmulator]:
    with (
        ArmEmulator(resource) as arm,
        AzureOpenAIEmulator(
            clock=resource.clock,
            resource=resource,
            identity=arm.identity,
            behaviour=AzureBehaviour(),
            tick_seconds=60,
        ) as plane,
    ):
        for name, value in {**plane.environment, **arm.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FTPROVIDERS_POLL_SECONDS", "0.02")
        (folder / "azure.yaml").write_text(JOB, encoding="utf-8")
        yield arm


def test_from_the_job_to_the_answer_and_away(run: Run, arm: ArmEmulator) -> None:
    submitted = run("submit", "azure.yaml", "--yes", "--wait")
    assert submitted.code == 0, submitted.err
    job = submitted.out.splitlines()[0]
    made = run("deploy", job, "--name", "bot", "--ttl", "2h", "--wait", "--json", "--yes")
    assert made.code == 0, made.err
    assert (made.json["ref"], made.json["status"]) == ("azure-openai:emulated/bot", "ready")
    assert made.json["tier"] == "GlobalStandard"
    assert "made, but the model does not answer yet" in made.err
    again = run("deploy", job, "--name", "bot", "--json", "--yes").json
    assert again["reused"] is True
    listed = run("deployments")
    assert listed.code == 0, listed.err
    assert listed.out.splitlines()[1].split()[:3] == [
        "azure-openai:emulated/bot",
        "ready",
        "(Succeeded)",
    ]
    for ref in ("azure-openai:emulated/bot", "bot"):
        asked = run("chat", ref, "Question number 3?")
        assert (asked.code, asked.out.strip()) == (0, "Answer number 3."), asked.err
    through_the_job = run("chat", job, "Question number 3?")
    assert through_the_job.out.strip() == "Answer number 3.", through_the_job.err
    assert run("extend", "bot", "--ttl", "3h", "--yes").code == 0
    assert run("undeploy", "bot", "--yes").code == 0
    assert arm.resource.deployments == []
    told = run("chat", job, "Question number 3?")
    assert told.code == 3
    assert "deploy" in told.err


def test_a_tuned_model_is_deleted_when_nothing_serves_it(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = run("submit", "azure.yaml", "--yes", "--wait").out.splitlines()
    model = run("model", submitted[0]).out.strip()
    assert run("deploy", submitted[0], "--name", "bot", "--wait", "--yes").code == 0
    refused = run("models", "--delete", model, "--json")
    assert (refused.code, refused.json["type"]) == (3, "ConflictError")
    assert "It is deployed as azure-openai:emulated/bot." in refused.json["hint"]
    assert "ftproviders undeploy azure-openai:emulated/bot" in refused.json["hint"]
    assert run("undeploy", "bot", "--yes").code == 0
    with monkeypatch.context() as paid:
        paid.setattr(AzureOpenAIAdapter, "free", lambda _self: False)
        asked = run("models", "--delete", model, "--json")
        assert (asked.code, asked.json["type"]) == (2, "ConsentError")
    done = run("models", "--provider", "azure-openai", "--delete", model, "--json")
    assert done.json["deleted"] == {"provider": "azure-openai", "name": model}
    assert model not in {one["name"] for one in done.json["models"]}
    gone = run("models", "--provider", "azure-openai", "--delete", model, "--yes", "--json")
    assert (gone.code, gone.json["type"]) == (3, "NotFoundError")


def test_a_model_that_is_nobodys_or_a_base_is_not_deleted(run: Run, arm: ArmEmulator) -> None:
    for model, words in (("gpt-oss-20b", "base model"), ("nothing.ft-0", "no provider lists it")):
        refused = run("models", "--delete", model, "--yes", "--json")
        assert (refused.code, refused.json["type"]) == (2, "ConfigurationError")
        assert words in refused.json["message"]


def test_what_it_will_be_and_cost_is_said_before_anything_is_sent(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run("submit", "azure.yaml", "--yes", "--wait").out.splitlines()[0]
    monkeypatch.setattr(AzureOpenAIHosting, "free", lambda _self: False)
    refused = run("deploy", job, "--name", "bot")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert arm.requests_of("Deployments_CreateOrUpdate") == []
    asked: list[str] = []

    def ask(_session: object, *, facts: list[str], **_more: object) -> None:
        asked.extend(facts)

    monkeypatch.setattr(consent, "ask", ask)
    assert run("deploy", job, "--name", "bot").code == 0
    for fact in (
        "sku GlobalStandard: prompts may be processed in any region",
        "at most 50,000 tokens a minute",
        "1.7 USD an hour, used or not; 1,224 USD in 30 days (2026-03-19",
        "removes it after 15 days without a chat",
    ):
        assert any(fact in line for line in asked), fact
    assert "1.7 USD/h, 0.00 USD so far" in run("deployments").out
    wrong = run("deploy", job, "--name", "two", "-o", "capacity=lots", "--yes")
    assert (wrong.code, "capacity" in wrong.err) == (2, True)


def test_plan_and_doctor_say_what_deploying_needs(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run("plan", "azure.yaml", "--json").json
    (needs,) = [note for note in plan["notes"] if "Deploying the tuned model will need" in note]
    for word in ("subscription", "resource group", "emulated", "Foundry Owner"):
        assert word in needs
    assert not any("deployed" in warning for warning in plan["warnings"])
    checks = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    assert checks["provider azure-openai: deploying"]["ok"] is True
    arm.may_write = False
    checks = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    check = checks["provider azure-openai: deploying"]
    assert (check["ok"], "Foundry Owner" in check["hint"]) == (False, True)
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    plan = run("plan", "azure.yaml", "--json").json
    (warning,) = [one for one in plan["warnings"] if "deployed" in one]
    assert "subscription" in warning
    assert "AZURE_SUBSCRIPTION_ID" in warning
    checks = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    assert "subscription: not set" in checks["provider azure-openai: deploying"]["detail"]


def test_listing_without_a_subscription_says_so_and_is_no_problem(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    listed = run("deployments")
    assert listed.code == 0
    assert "azure-openai: not set up: Deployments of azure-openai need" in listed.err
    assert run("deployments", "--reap").code == 0
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "another")
    listed = run("deployments", "--reap")
    assert listed.code == 3
    assert "There is no resource" in listed.err


def test_deployment_options_are_listed(run: Run) -> None:
    shown = run("providers", "azure-openai").out
    assert "deployment option (deploy -o key=value)" in shown
    names = {one["name"] for one in _options(run)}
    assert {"sku", "capacity", "source", "model_format"} <= names


def _options(run: Run) -> list[dict[str, str]]:
    (found,) = run("providers", "azure-openai", "--json").json["providers"]
    options: list[dict[str, str]] = found["deployment_options"]
    return options
