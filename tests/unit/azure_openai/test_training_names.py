"""Addresses, accounts, versions, models and training types of Azure OpenAI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ftproviders.adapters.azure_openai import PROVIDER
from ftproviders.adapters.azure_openai.families import FAMILIES, base_name, family_of
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.adapters.azure_openai.wire import (
    account_name,
    checked_endpoint,
    is_public,
    project_name,
    resource_name,
    sent_model,
    training_type,
)
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError
from ftproviders.schema.job import JobRef

HOST = "https://my-resource.openai.azure.com"


@pytest.mark.parametrize(
    ("given", "kept", "account"),
    [
        (HOST, HOST, "my-resource"),
        (f"{HOST}/", HOST, "my-resource"),
        ("HTTPS://My-Resource.openai.azure.com/openai/v1/", HOST, "my-resource"),
        (f"{HOST}/openai", HOST, "my-resource"),
        ("https://my-resource.services.ai.azure.com", None, "my-resource"),
        ("https://my-resource.cognitiveservices.azure.com/", None, "my-resource"),
        ("https://my-resource.services.ai.azure.com/api/projects/p-1", None, "my-resource/p-1"),
        ("https://r.services.ai.azure.com/api/projects/p/openai/v1", None, "r/p"),
        ("https://llm.example.org", None, "llm.example.org"),
        ("http://127.0.0.1:8001", None, "127.0.0.1:8001"),
    ],
)
def test_an_address_becomes_an_account(given: str, kept: str | None, account: str) -> None:
    endpoint = checked_endpoint(given)
    assert kept in (None, endpoint)
    assert account_name(endpoint) == account
    ref = JobRef(provider="azure-openai", account=account, id="ftjob-1")
    assert str(ref) == f"azure-openai:{account}/ftjob-1"
    assert JobRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "given",
    ["my-resource", "ftp://x.openai.azure.com", f"{HOST}/openai/deployments/d", f"{HOST}?a=b",
     "https://user:pw@x.openai.azure.com", f"{HOST}/api/projects/"],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AzureOpenAISettings(endpoint=given)
    assert "pw" not in str(caught.value)


def test_parts_of_an_address() -> None:
    project = "https://r.services.ai.azure.com/api/projects/p"
    assert (resource_name(project), project_name(project)) == ("r", "p")
    assert (resource_name("http://127.0.0.1:1"), project_name(HOST)) == (None, None)
    assert is_public(HOST)
    assert not is_public("https://openai.azure.com.example.org")


@pytest.mark.parametrize(
    ("given", "dated"),
    [("v1", False), ("preview", False), ("V1", False), ("2025-04-01-preview", True),
     ("2024-10-21", True)],
)  # fmt: skip
def test_versions(given: str, dated: bool) -> None:
    settings = AzureOpenAISettings(api_version=given)
    assert settings.dated is dated
    assert settings.api_version == given.lower()


@pytest.mark.parametrize("given", ["v2", "2025", "2025-04-01-beta", "", "latest"])
def test_what_is_no_version_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="2025-04-01-preview"):
        AzureOpenAISettings(api_version=given)


def test_azures_own_variables_are_read(tmp_path: Path) -> None:
    environ = {
        "AZURE_OPENAI_ENDPOINT": f"{HOST}/",
        "AZURE_OPENAI_API_KEY": "0123456789abcdef",
        "OPENAI_API_VERSION": "2025-04-01-preview",
        "AZURE_SUBSCRIPTION_ID": "s",
        "AZURE_RESOURCE_GROUP": "g",
        "OPENAI_API_KEY": "sk-another-service",
    }
    config = Config(home=tmp_path, cache=tmp_path, config_file=tmp_path / "none.toml")
    found = AzureOpenAISettings.load("azure-openai", config, environ=environ)
    assert (found.endpoint, found.api_version) == (HOST, "2025-04-01-preview")
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "0123456789abcdef"
    assert (found.subscription_id, found.resource_group) == ("s", "g")
    ours = {"FTPROVIDERS_AZURE_OPENAI_API_VERSION": "v1"}
    assert AzureOpenAISettings.load("azure-openai", config, environ=environ | ours).dated is False
    with pytest.raises(ConfigurationError, match="endpoint"):
        AzureOpenAISettings.load("azure-openai", config, environ={"AZURE_OPENAI_ENDPOINT": "x"})


def test_a_key_in_the_address_is_refused_without_being_quoted() -> None:
    key = "0123456789abcdef" * 2
    with pytest.raises(ValidationError) as caught:
        AzureOpenAISettings.model_validate(
            {"api_key": key, "endpoint": f"https://{key}.openai.azure.com"}
        )
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://management.azure.com/", True),
        ("https://MANAGEMENT.usgovcloudapi.net", True),
        ("https://management.chinacloudapi.cn", True),
        ("https://127.0.0.1:8443", True),
        ("https://localhost:8443", True),
        ("https://management.azure.com.example.org", False),
        ("https://example.org/management.azure.com", False),
        ("https://10.0.0.1", False),
    ],
)
def test_tokens_for_azure_go_to_azure_or_stay_here(given: str, taken: bool) -> None:
    if taken:
        settings = AzureOpenAISettings(arm_endpoint=given)
        assert settings.arm_endpoint == given.lower().rstrip("/")
        return
    with pytest.raises(ValidationError, match=r"management\.azure\.com, .* or on this machine"):
        AzureOpenAISettings(arm_endpoint=given)


@pytest.mark.parametrize(
    "field", ["token_scope", "subscription_id", "resource_group", "resource", "arm_endpoint"]
)
@pytest.mark.parametrize("secret", ["0123456789abcdef" * 2, f"sk-{'a1B2' * 12}"])
def test_a_key_in_what_plans_and_errors_show_is_refused(field: str, secret: str) -> None:
    text = f"https://management.azure.com/{secret}" if field == "arm_endpoint" else secret
    with pytest.raises(ValidationError, match="looks like a key") as caught:
        AzureOpenAISettings.model_validate({"api_key": "0123456789abcdef" * 2, field: text})
    assert secret not in str(caught.value)


# --- models -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "sent", "default"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini", "standard"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini-2025-04-14", "standard"),
        ("o4-mini", "o4-mini", "standard"),
        ("Qwen-32B", "Qwen3-32B", "globalStandard"),
        ("Qwen-3-32B", "Qwen3-32B", "globalStandard"),
        ("qwen3-32b", "Qwen3-32B", "globalStandard"),
        ("Ministral-3B-2411", "Ministral-3B", "globalStandard"),
        ("llama-3.3-70b-instruct", "Llama-3.3-70B-Instruct", "globalStandard"),
        ("GPT-OSS-20B", "gpt-oss-20b", "globalStandard"),
        ("gpt-oss-120b", "gpt-oss-120b", "globalStandard"),
        ("something-new", "something-new", "standard"),
        ("gpt-4.1.ft-0a0a-kettle", "gpt-4.1.ft-0a0a-kettle", "standard"),
    ],
)
def test_spellings_of_models(written: str, sent: str, default: str) -> None:
    assert sent_model(written) == sent
    assert training_type(None, written) == default


@pytest.mark.parametrize(
    ("stated", "sent"),
    [
        ("Standard", "standard"),
        ("GlobalStandard", "globalStandard"),
        ("globalstandard", "globalStandard"),
        ("global-standard", "globalStandard"),
        ("Developer", "developerTier"),
        ("developer_tier", "developerTier"),
        ("dataZoneStandard", "dataZoneStandard"),
    ],
)
def test_spellings_of_training_types(stated: str, sent: str) -> None:
    assert training_type(stated, "gpt-4.1") == sent


def test_a_longer_name_is_not_taken_for_a_shorter_one() -> None:
    for family in FAMILIES:
        assert family_of(family.name) is family
        assert family_of(f"{family.name}.ft-{'0a' * 16}") is family
        for alias in family.aliases:
            assert family_of(alias) is family
    assert family_of("gpt-4") is None
    assert base_name("gpt-4o.ft-1-x") == "gpt-4o"


def test_the_data_rules_are_those_of_the_table() -> None:
    for family in FAMILIES:
        profile = PROVIDER.data_profile(family.name)
        assert profile.methods == family.methods
        assert profile.maximum_row_tokens == family.row_tokens


def test_settings_say_nothing_secret() -> None:
    given: dict[str, Any] = {"api_key": "0123456789abcdef0123", "endpoint": HOST}
    settings = AzureOpenAISettings.model_validate(given)
    assert "0123456789" not in repr(settings) + settings.model_dump_json()
