"""Switches of the usual guides: every way to write true and false, and nothing else."""

from __future__ import annotations

import pytest

from ftproviders.adapters.local.guide_names import from_guide
from ftproviders.errors import ConfigurationError

SWITCHES = {
    "load_in_4bit": ("tuning", "qlora"),
    "bf16": ("dtype", "bf16"),
    "use_flash_attention_2": ("attn_implementation", "flash_attention_2"),
    "setup_chat_format": ("chat_template", "chatml"),
}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [True, "true", "1", 1, "yes", "on"])
def test_on_is_on(name: str, value: str | bool | int) -> None:
    option, chosen = SWITCHES[name]
    assert from_guide({name: value}, knobs={}, options={}).options == {option: chosen}


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [False, "false", "0", "no", "off"])
def test_off_is_what_holds_anyway_but_for_bf16(name: str, value: str | bool) -> None:
    found = from_guide({name: value}, knobs={}, options={})
    assert found.options == ({"dtype": "fp32"} if name == "bf16" else {})
    assert [mapped.name for mapped in found.mapped] == [name]


@pytest.mark.parametrize("name", SWITCHES)
def test_other_words_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="Give true or false"):
        from_guide({name: "perhaps"}, knobs={}, options={})
