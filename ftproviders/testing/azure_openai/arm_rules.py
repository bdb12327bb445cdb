"""What the emulated Resource Manager takes in the body of a deployment.

The table of model families is written down here once more, from the same documents as the
adapter's, so that a mistake in one of the two shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftproviders.testing.azure_openai.arm_faults import ArmError

__all__ = ["Family", "Wanted", "check_name", "checked_patch", "checked_put", "family_of"]


@dataclass(frozen=True)
class Family:
    """What a family of base models can be deployed as."""

    formats: frozenset[str]
    skus: frozenset[str]


_OPENAI = frozenset({"OpenAI"})
_ALL = frozenset({"standard", "globalstandard", "datazonestandard", "developertier"})
_NO_DEVELOPER = _ALL - {"developertier"}
_GLOBAL = frozenset({"globalstandard"})
_PROVISIONED = frozenset({"provisionedmanaged"})

_FAMILIES: Mapping[str, Family] = {
    "gpt-4.1": Family(_OPENAI, _ALL | _PROVISIONED),
    "gpt-4o": Family(_OPENAI, _NO_DEVELOPER | _PROVISIONED),
    "o4-mini": Family(_OPENAI, _ALL),
    "gpt-5": Family(_OPENAI, frozenset({"standard"})),
    "gpt-oss-20b": Family(frozenset({"Microsoft"}), _GLOBAL),
    "ministral-3b": Family(frozenset({"Mistral AI", "Ministral AI"}), _GLOBAL),
    "llama-3.3-70b": Family(frozenset({"Meta"}), _GLOBAL),
    "qwen3-32b": Family(frozenset({"Alibaba"}), _GLOBAL),
    "qwen-3-32b": Family(frozenset({"Alibaba"}), _GLOBAL),
    "qwen-32b": Family(frozenset({"Alibaba"}), _GLOBAL),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_TAG_NAME = re.compile(r"[^<>%&\\?/]{1,512}")
_MOST_TAGS, _MOST_TAG_VALUE = 50, 256

_SKU = frozenset({"name", "capacity", "tier", "size", "family"})
_MODEL = frozenset({"format", "name", "version", "source", "sourceAccount", "publisher"})
_MORE = frozenset(
    {"raiPolicyName", "versionUpgradeOption", "spilloverDeploymentName", "deploymentState"}
)


@dataclass(frozen=True)
class Wanted:
    """A deployment that was asked for."""

    model: Mapping[str, Any]
    sku: str
    capacity: int
    tags: Mapping[str, str]
    more: Mapping[str, Any]


def family_of(base: str) -> Family | None:
    """Return the family of a base model, by the longest name that it begins with."""
    small = base.lower()
    fitting = [name for name in _FAMILIES if small.startswith(name)]
    return _FAMILIES[max(fitting, key=len)] if fitting else None


def check_name(name: str) -> None:
    """Refuse a name that no deployment can have.

    Raises:
        ArmError: It is too long or has other characters.
    """
    if _NAME.fullmatch(name) is None:
        raise ArmError(400, "InvalidResourceName", f"The name {name} is not valid.")


def checked_put(body: Any) -> Wanted:
    """Read the body of a create request.

    Raises:
        ArmError: It has a field that the service does not know, or lacks one, or has a wrong value.
    """
    whole = _object(body, "ResourceDefinition", frozenset({"sku", "tags", "properties"}))
    properties = _object(whole.get("properties"), "properties", _MORE | {"model"})
    model = _object(properties.get("model"), "properties.model", _MODEL)
    for name in ("format", "name", "version"):
        if not isinstance(model.get(name), str) or not model[name]:
            raise _invalid(f"The field properties.model.{name} is required.")
    sku = _object(whole.get("sku"), "sku", _SKU)
    capacity = sku.get("capacity", 1)
    if not isinstance(sku.get("name"), str) or not isinstance(capacity, int) or capacity < 1:
        raise _invalid("The SKU needs a name and a capacity of at least 1.")
    more = {name: value for name, value in properties.items() if name in _MORE}
    return Wanted(model, sku["name"], capacity, _tags(whole.get("tags")), more)


def checked_patch(body: Any) -> tuple[Mapping[str, str] | None, Mapping[str, Any]]:
    """Read the body of an update: tags, which replace those that are there, and the SKU."""
    whole = _object(body, "PatchResourceTagsAndSku", frozenset({"sku", "tags"}))
    sku = _object(whole["sku"], "sku", _SKU) if whole.get("sku") is not None else {}
    return (_tags(whole["tags"]) if "tags" in whole else None), sku


def _tags(given: Any) -> dict[str, str]:
    tags = {} if given is None else given
    if not isinstance(tags, dict) or len(tags) > _MOST_TAGS:
        raise ArmError(400, "InvalidTags", f"A resource has at most {_MOST_TAGS} tags.")
    for name, value in tags.items():
        if not isinstance(value, str) or len(value) > _MOST_TAG_VALUE:
            raise ArmError(400, "InvalidTagValue", f"The value of tag {name} is not valid.")
        if _TAG_NAME.fullmatch(name) is None:
            raise ArmError(400, "InvalidTagNameCharacters", f"The tag name {name} is not valid.")
    return dict(tags)


def _object(value: Any, place: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"{place} is required and is an object.")
    strange = sorted(set(value) - known)
    if strange:
        raise _invalid(f"Could not find member '{strange[0]}' on object of type '{place}'.")
    return value


def _invalid(why: str) -> ArmError:
    text = "The request content was invalid and could not be deserialized: "
    return ArmError(400, "InvalidRequestContent", text + why)
