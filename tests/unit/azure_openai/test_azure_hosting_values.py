"""What Resource Manager shows -> ours, and ours -> what it is sent; no SDK, no network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.adapters.azure_openai import arm, deploying, requirements
from ftproviders.adapters.azure_openai.operations import OperationNotes
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.errors import UnexpectedResponseError
from ftproviders.schema.deployment import DeploymentRef, DeploymentSnapshot, Lease

END = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.fixed_dictionaries(
    {"name": st.text(min_size=1)},
    optional=dict.fromkeys(("tags", "properties", "sku", "systemData", "id", "etag"), _JSON),
)


def read(**found: Any) -> DeploymentSnapshot:
    return arm.snapshot(
        {"name": "bot", **found}, resource="mine", account="mine", url="https://x/openai/v1"
    )


@given(found=_FIELDS)
def test_any_answer_with_a_name_is_read(found: dict[str, Any]) -> None:
    seen = arm.snapshot(found, resource="mine", account="mine", url=None)
    assert seen.ref.id == found["name"]
    # Nothing that is not exactly our tag makes it ours.
    assert seen.lease is None or isinstance(seen.lease.owner, str)


def test_answer_without_a_name_is_none() -> None:
    for found in ({}, {"name": None}, {"name": ""}, {"name": 3}):
        with pytest.raises(UnexpectedResponseError):
            arm.snapshot(found, resource="mine", account=None, url=None)


@pytest.mark.parametrize(
    "lease",
    [
        Lease(id="bot", owner="me@here-1"),
        Lease(id="bot", owner="me@here-1", expires_at=END),
    ],
)
def test_lease_comes_back_from_its_tags(lease: Lease) -> None:
    tags = deploying.lease_tags(lease, resource="mine", name="bot")
    assert read(tags=tags).lease == lease
    # In another resource, or under another name, the same tags are seen to be copied.
    elsewhere = arm.snapshot({"name": "bot", "tags": tags}, resource="other", account="o", url=None)
    assert elsewhere.lease is not None
    assert elsewhere.lease.id != "bot"
    renamed = read(name="two", tags=tags).lease
    assert renamed is not None
    assert renamed.id != "two"


@pytest.mark.parametrize("text", ["", "soon", "2031-13-01T00:00:00Z", "0"])
def test_end_that_cannot_be_read_is_no_end(text: str) -> None:
    tags = {"ftproviders-id": "mine/bot", "ftproviders-owner": "me", "ftproviders-expires-at": text}
    lease = read(tags=tags).lease
    assert lease is not None
    assert lease.expires_at is None


def test_time_without_a_zone_is_utc() -> None:
    assert arm.moment("2031-05-04T03:02:01") == END
    assert arm.moment("2031-05-04T05:02:01+02:00") == END


def test_reason_of_a_failure() -> None:
    told = arm.failure_of({"error": {"code": "Broken", "message": "no"}})
    assert told is not None
    assert (told.code, told.message) == ("Broken", "no")
    assert arm.failure_of({"error": {}}) is None
    assert arm.failure_of({"error": None}) is None
    assert arm.failure_of({}) is None


def test_address_of_an_operation_is_kept_for_the_next_process(tmp_path: Path) -> None:
    ref = DeploymentRef(provider="azure-openai", account="mine", id="bot")
    OperationNotes(tmp_path / "a").keep(ref, "https://x/1")
    assert OperationNotes(tmp_path / "a").kept(ref) == "https://x/1"
    OperationNotes(tmp_path / "a").forget(ref)
    assert OperationNotes(tmp_path / "a").kept(ref) is None
    # A folder that cannot be written loses a reason, nothing else.
    (tmp_path / "file").write_text("")
    OperationNotes(tmp_path / "file").keep(ref, "https://x/1")
    assert OperationNotes(tmp_path / "file").kept(ref) is None


class _Shown:
    """A management plane where one answer is all there is."""

    def __init__(self, *granted: dict[str, list[str]]) -> None:
        self.granted = granted

    def resource(self) -> tuple[dict[str, Any], None]:
        return {"location": "here"}, None

    def permissions(self) -> dict[str, Any]:
        return {"value": list(self.granted)}

    def page(self, _cursor: str | None) -> tuple[list[dict[str, Any]], None]:
        return [
            {"name": "x", "properties": None},
            {"name": "y", "properties": {"model": None}},
        ], None


_ALL, _OURS = "*", "Microsoft.CognitiveServices/accounts/deployments/write"


@pytest.mark.parametrize(
    ("granted", "may"),
    [
        ([{"actions": [_ALL], "notActions": []}], True),
        ([{"actions": [_OURS.upper()]}], True),
        ([{"actions": ["Microsoft.CognitiveServices/*"], "notActions": ["*/delete"]}], True),
        # What one role takes out is out, unless another role grants it.
        ([{"actions": [_ALL], "notActions": [_OURS]}], False),
        ([{"actions": [_ALL], "notActions": ["Microsoft.CognitiveServices/*/write"]}], False),
        ([{"actions": [_ALL], "notActions": [_OURS]}, {"actions": [_OURS]}], True),
        ([{"actions": ["*/read"]}], False),
        ([{"actions": ["Microsoft.CognitiveServices/accounts/write"]}], False),
        ([{"dataActions": [_ALL]}], False),
        ([], False),
    ],
)
def test_may_deploy_who_was_granted_it_and_has_it_not_taken_out(
    granted: list[dict[str, list[str]]], may: bool
) -> None:
    shown: Any = _Shown(*granted)
    needs = {need.name: need for need in requirements.asked(shown)}
    assert needs["role"].met is may
    assert bool(needs["role"].hint) is not may
    assert needs["room"].detail.startswith("0 of 10")


def test_resource_is_told_by_the_address_or_by_name() -> None:
    at = "https://my-resource.openai.azure.com"
    settings = AzureOpenAISettings.model_validate({"endpoint": at})
    assert requirements.value_of(settings, "resource") == "my-resource"
    assert requirements.lacking(settings) == ["subscription_id", "resource_group"]
    named = AzureOpenAISettings.model_validate({"endpoint": at, "resource": "other"})
    assert requirements.value_of(named, "resource") == "other"
    error = requirements.missing("subscription_id", "resource_group")
    assert "AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP" in error.hint
