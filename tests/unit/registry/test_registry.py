"""Names, and the four different ways in which a provider cannot be loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ftproviders import registry
from ftproviders.config import Config
from ftproviders.errors import (
    ConfigurationError,
    MissingDependencyError,
    UnknownProviderError,
    UnsupportedFeatureError,
)

GOOD = """
from ftproviders.provider import ProviderInfo
PROVIDER = ProviderInfo(name={name!r}, summary="a test", training="{module}:Adapter", {more})
class Adapter:
    pass
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with an entry point, as pip would leave it on the disk."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def do(package: str, *, provider: str, source: str | None = None, more: str = "") -> None:
        module = package.replace("-", "_")
        text = GOOD.format(name=provider, module=module, more=more) if source is None else source
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[{registry.ENTRY_POINT_GROUP}]\n{provider} = {module}:PROVIDER\n"
        )
        monkeypatch.delitem(sys.modules, module, raising=False)

    return do


@pytest.fixture
def config() -> Config:
    return Config.load()


def test_third_party_provider_is_listed_and_loaded(install: Install) -> None:
    install("acme-tuning", provider="acme-cloud")
    assert "acme-cloud" in registry.names()
    assert registry.info("acme-cloud").summary == "a test"
    assert registry.info("acme_cloud").name == "acme-cloud", "underscores are accepted"


def test_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UnknownProviderError, match="Did you mean 'memory'"):
        registry.info("memroy")
    with pytest.raises(UnknownProviderError) as caught:
        registry.info("zzzzzz")
    assert "Did you mean" not in caught.value.hint
    assert "local, memory" in caught.value.hint


def test_missing_extra_gives_the_install_line(install: Install, config: Config) -> None:
    install(
        "acme-tuning",
        provider="acme-cloud",
        more='modules=("acme_sdk_that_is_not_there",), install="pip install acme-tuning[sdk]"',
    )
    with pytest.raises(MissingDependencyError, match="acme_sdk_that_is_not_there") as caught:
        registry.training_adapter("acme-cloud", config)
    assert caught.value.hint == "Run: pip install acme-tuning[sdk]"


def test_two_packages_that_claim_a_name_are_both_named(install: Install) -> None:
    install("acme-tuning", provider="acme-cloud")
    install("acme-rival", provider="acme-cloud")
    with pytest.raises(ConfigurationError, match="Two packages claim") as caught:
        registry.info("acme-cloud")
    assert "acme-tuning" in caught.value.message
    assert "acme-rival" in caught.value.message


def test_built_in_name_cannot_be_taken_over(install: Install) -> None:
    install("acme-evil", provider="local")
    with pytest.raises(ConfigurationError, match="acme-evil"):
        registry.info("local")


def test_import_that_fails_inside_names_package_and_cause(install: Install) -> None:
    install("acme-tuning", provider="acme-cloud", source="raise ZeroDivisionError('inside')")
    with pytest.raises(ConfigurationError, match="installed but broken") as caught:
        registry.info("acme-cloud")
    assert "acme_tuning:PROVIDER raised ZeroDivisionError: inside" in caught.value.message
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_missing_module_inside_is_no_missing_extra(install: Install) -> None:
    install("acme-tuning", provider="acme-cloud", source="import acme_part_that_is_not_there")
    with pytest.raises(ConfigurationError, match="acme_part_that_is_not_there") as caught:
        registry.info("acme-cloud")
    assert not isinstance(caught.value, MissingDependencyError)


def test_entry_point_that_is_no_provider_info(install: Install) -> None:
    install("acme-tuning", provider="acme-cloud", source="PROVIDER = 'hello'")
    with pytest.raises(ConfigurationError, match="is a str, not a ProviderInfo"):
        registry.info("acme-cloud")


def test_class_that_is_no_adapter(install: Install, config: Config) -> None:
    install("acme-tuning", provider="acme-cloud")
    with pytest.raises(ConfigurationError, match="is no TrainingAdapter"):
        registry.training_adapter("acme-cloud", config)


def test_host_is_asked_of_a_provider_that_only_trains(install: Install, config: Config) -> None:
    install("acme-tuning", provider="acme-cloud")
    with pytest.raises(UnsupportedFeatureError, match="does not host"):
        registry.hosting_adapter("acme-cloud", config)


def test_options_are_checked_and_the_known_ones_listed() -> None:
    info = registry.info("memory")
    assert registry.options(info, {"priority": "high"}).model_dump()["priority"] == "high"
    with pytest.raises(ConfigurationError, match="ftproviders providers memory") as caught:
        registry.options(info, {"prioritee": "high"})
    assert "prioritee" in caught.value.message
