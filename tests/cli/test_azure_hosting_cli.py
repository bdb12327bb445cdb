"""Deploying at Azure from the command line, over emulators of both planes."""

from __future__ import annotations

import importlib.util
import os
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
from tests.cli.program import Run, Spawn, ended

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
    # No model of Azure's answers by its own name, so a chat is not what comes next.
    assert f"Next: ftproviders deploy {job} --ttl 2h --wait" in submitted.err
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
    reaped = run("deployments", "--reap")
    assert (reaped.code, "No deployment of yours has ended." in reaped.err) == (0, True)
    assert "No deployment has ended." in run("deployments", "--reap", "--all-owners").err
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "another")
    listed = run("deployments", "--reap")
    assert listed.code == 3
    assert "There is no resource" in listed.err
    assert "Nothing is deployed" not in listed.err, "nobody knows"


def test_chat_needs_the_key_alone(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm.resource.add("bot", model="gpt-4.1-mini-2025-04-14.ft-1")
    for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "IDENTITY_ENDPOINT"):
        monkeypatch.delenv(name)
    asked = run("chat", "azure-openai:bot", "Question number 3?")
    assert asked.code == 0, asked.err
    assert asked.out.strip()
    assert arm.requests == []
    assert run("chat", "azure-openai:nothing", "Question number 3?").code == 3


def test_deployments_of_the_resource_are_asked_from_within_a_project(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are the project's, deployments the resource's: the ref's account tells which it is."""
    arm.resource.add("bot", model="gpt-4.1-mini-2025-04-14.ft-1")
    endpoint = f"{os.environ['AZURE_OPENAI_ENDPOINT']}/api/projects/kettles"
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint)
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    asked = run("chat", "azure-openai:emulated/bot", "Question number 3?")
    assert asked.code == 0, asked.err
    assert asked.out.strip()
    nothing = run("chat", "azure-openai:emulated/nothing", "Question number 3?")
    assert (nothing.code, "no such deployment" in nothing.err) == (3, True), nothing.err


def test_missing_packages_are_named_where_they_are_needed(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who trains and chats with a key may have installed the SDK of that alone."""
    job = run("submit", "azure.yaml", "--yes", "--wait").out.splitlines()[0]
    arm.resource.add("bot", model="gpt-4.1-mini-2025-04-14.ft-1")
    found = importlib.util.find_spec

    def without_azure(name: str, package: str | None = None) -> object:
        if name.startswith("azure."):
            raise ModuleNotFoundError(name)
        return found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_azure)
    refused = run("deploy", job, "--yes")
    assert refused.code == 2
    assert "not installed: azure-identity, azure-mgmt-cognitiveservices." in refused.err
    assert "pip install 'ftproviders[azure-openai]'" in refused.err
    (warning,) = [
        one for one in run("plan", "azure.yaml", "--json").json["warnings"] if "deployed" in one
    ]
    assert "packages" in warning
    checks = {check["name"]: check for check in run("doctor", "--json").json["checks"]}
    check = checks["provider azure-openai: deploying"]
    assert (check["ok"], "azure-identity" in check["detail"]) == (False, True)
    assert "pip install" in check["hint"]
    assert run("chat", "azure-openai:emulated/bot", "Question number 3?").code == 0


def test_a_certificate_that_is_not_trusted_is_told_from_a_network_that_is_down(
    run: Run, arm: ArmEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    refused = run("undeploy", "azure-openai:emulated/bot", "--yes")
    assert refused.code == 3
    assert f"certificate of {arm.root_url} is not trusted" in refused.err
    assert "REQUESTS_CA_BUNDLE" in refused.err
    # The data plane, by another SDK, finds a server with such a certificate as well.
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", arm.root_url)
    monkeypatch.setenv("FTPROVIDERS_ATTEMPTS", "1")
    refused = run("status", "azure-openai:ftjob-1")
    assert refused.code == 3
    assert f"certificate of {arm.root_url} is not trusted" in refused.err
    assert "SSL_CERT_FILE" in refused.err


def test_a_failed_sign_in_is_two_lines(spawn: Spawn, folder: Path) -> None:
    """What azure-identity logs of it is not poured over stderr."""
    given = {
        "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    }
    told = ended(spawn("status", "azure-openai:ftjob-1", env=given))
    assert told.code == 3
    lines = told.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], told.err
    assert "Entra ID gave no token" in lines[0]


def test_deployment_options_are_listed(run: Run) -> None:
    shown = run("providers", "azure-openai").out
    assert "deployment option (deploy -o key=value)" in shown
    names = {one["name"] for one in _options(run)}
    assert {"sku", "capacity", "source", "model_format"} <= names


def _options(run: Run) -> list[dict[str, str]]:
    (found,) = run("providers", "azure-openai", "--json").json["providers"]
    options: list[dict[str, str]] = found["deployment_options"]
    return options
