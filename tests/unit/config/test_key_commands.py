"""A key that a command prints: used, never shown, and told when it does not come."""

from __future__ import annotations

import shlex
import sys
import traceback
from pathlib import Path

import pytest

from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.config import Config
from ftproviders.errors import ConfigurationError

KEY = "sk-from-a-command-0123456789"


def python(source: str) -> str:
    """Return a command line that runs `source`."""
    return shlex.join([sys.executable, "-c", source])


PRINTS = python(f"print('{KEY}')")


def settings(tmp_path: Path, profile: str = "", **environ: str) -> OpenAISettings:
    file = tmp_path / "config.toml"
    file.write_text(f'default_profile = "p"\n[profiles.p.providers.openai]\n{profile}')
    config = Config.load(environ={"FTPROVIDERS_CONFIG": str(file)})
    return OpenAISettings.load("openai", config, environ=environ)


def key(found: OpenAISettings) -> str | None:
    return None if found.api_key is None else found.api_key.get_secret_value()


def test_the_command_of_environment_or_profile_gives_the_key(tmp_path: Path) -> None:
    in_profile = f"api_key_command = '''{PRINTS}'''"
    assert key(settings(tmp_path, in_profile)) == KEY
    found = settings(tmp_path, FTPROVIDERS_OPENAI_API_KEY_COMMAND=PRINTS)
    assert key(found) == KEY
    assert KEY not in repr(found)


def test_a_key_that_is_there_needs_no_command(tmp_path: Path) -> None:
    fails = f"api_key_command = '''{python('raise SystemExit(3)')}'''"
    assert key(settings(tmp_path, fails, OPENAI_API_KEY="sk-of-the-environment")) == (
        "sk-of-the-environment"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python(f"print('{KEY}'); raise SystemExit(3)"), "exit code 3"),
        (python("pass"), "is silent"),
        (f"/nowhere/at/all {KEY}", "cannot be run"),
        (f"'{KEY}", "cannot be run"),
        ("  ", "cannot be run"),
        (python("import sys; sys.stdout.buffer.write(b'\\xff')"), "cannot be run"),
    ],
)
def test_a_command_without_a_key_is_told_without_being_quoted(
    tmp_path: Path, command: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"api_key_command of openai .*{words}") as caught:
        settings(tmp_path, FTPROVIDERS_OPENAI_API_KEY_COMMAND=command)
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert KEY not in told
