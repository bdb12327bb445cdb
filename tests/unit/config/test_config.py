"""Argument beats environment beats profile beats default; bad values are told, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftproviders import registry
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError
from ftproviders.testing.memory.adapter import MemoryAdapter

FILE = """
default_profile = "work"

[profiles.work]
settle_seconds = 5
provider = "memory"

[profiles.work.providers.memory]
account = "from-profile"
api_key = "sk-profile-secret"

[profiles.home]
settle_seconds = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


def load(file: Path, profile: str | None = None, **environ: str) -> Config:
    return Config.load(profile=profile, environ={"FTPROVIDERS_CONFIG": str(file), **environ})


def test_order(file: Path, tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml").settle_seconds == 60
    assert load(file).settle_seconds == 5
    assert load(file, profile="home").settle_seconds == 7
    assert load(file, FTPROVIDERS_PROFILE="home").settle_seconds == 7
    assert load(file, FTPROVIDERS_SETTLE_SECONDS="9").settle_seconds == 9
    by_argument = Config.load(
        environ={"FTPROVIDERS_CONFIG": str(file), "FTPROVIDERS_SETTLE_SECONDS": "9"},
        settle_seconds=11,
    )
    assert by_argument.settle_seconds == 11


def test_folders(tmp_path: Path) -> None:
    config = load(tmp_path / "none.toml", FTPROVIDERS_HOME="~/ft", FTPROVIDERS_CACHE=str(tmp_path))
    assert config.home == Path.home() / "ft"
    assert config.cache == tmp_path


def test_xdg_data_home_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load(tmp_path / "none.toml").home == tmp_path / "ftproviders"


def test_unknown_profile_names_those_there(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="profiles there: home, work"):
        load(file, profile="wrok")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"a = = b", "not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b'default_profile = "x"\n[profiles.x]\nsettle_seconds = "soon"', "settle_seconds"),
        (b'default_profile = "x"\n[profiles.x]\nsettel_seconds = 3', "settel_seconds"),
        (b'default_profile = "x"\nprofiles = 3', "no profile 'x'"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=match):
        load(path)


def test_config_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path)


def memory(config: Config, **environ: str) -> MemoryAdapter:
    adapter = registry.training_adapter("memory", config, environ=environ)
    assert isinstance(adapter, MemoryAdapter)
    return adapter


def test_provider_settings_come_from_profile_then_environment_then_argument(file: Path) -> None:
    config = load(file)
    assert memory(config).account() == "from-profile"
    assert memory(config, FTPROVIDERS_MEMORY_ACCOUNT="from-env").account() == "from-env"
    given = registry.training_adapter(
        "memory", config, environ={"FTPROVIDERS_MEMORY_ACCOUNT": "from-env"}, account="given"
    )
    assert given.account() == "given"


def test_keys_are_shown_nowhere(file: Path) -> None:
    adapter = memory(load(file))
    assert "sk-profile-secret" not in repr(adapter) + repr(adapter.settings) + str(adapter.settings)
    with pytest.raises(ConfigurationError) as caught:
        memory(load(file), FTPROVIDERS_MEMORY_ACCOUNT="sk-in the wrong field")
    assert "sk-in" not in str(caught.value)
    assert "account" in str(caught.value)


def test_profile_is_not_shown_by_the_repr_of_the_configuration(file: Path) -> None:
    assert "sk-profile-secret" not in repr(load(file)) + str(load(file))
