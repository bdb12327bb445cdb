"""Base classes of a provider's connection settings and of its job options."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ftproviders.config import Config
from ftproviders.errors import ConfigurationError

__all__ = ["ProviderOptions", "ProviderSettings"]


_COMMAND_SECONDS = 60


class ProviderOptions(BaseModel):
    """What one provider alone has for a job (``-o key=value``). Subclass and add fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    also_known: ClassVar[frozenset[str]] = frozenset()
    """Names beside the fields that a validator of the class takes; only for guessing at typos."""

    @classmethod
    def fitting(cls, carried: Mapping[str, Any], *, model: str) -> Mapping[str, Any]:
        """Return those options of a job that is moved which another base model can have.

        Args:
            carried: Options that the old job had; nobody stated them for the new one.
            model: Base model of the new job.
        """
        del model
        return carried


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _said_by(command: object, *, name: str, field: str) -> str:
    """Run the command that knows a secret; what it prints is shown nowhere.

    Raises:
        ConfigurationError: It is no command, fails, or prints nothing.
    """
    told = f"Setting {field}_command of {name}"
    hint = "It must print the secret and nothing else, for instance: pass show openai"
    try:
        words = shlex.split(str(command))
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        secret = done.stdout.decode("utf-8").strip()
    except (OSError, ValueError, IndexError) as error:
        # The command itself is not quoted: some people write keys into commands.
        raise ConfigurationError(f"{told} cannot be run.", provider=name, hint=hint) from error
    except subprocess.TimeoutExpired:
        problem = f"has not answered in {_COMMAND_SECONDS} seconds"
    else:
        if done.returncode == 0 and secret:
            return secret
        problem = f"has failed with exit code {done.returncode}" if done.returncode else "is silent"
    raise ConfigurationError(f"{told} {problem}.", provider=name, hint=hint)


def _own_folder(name: str) -> Path:
    return Path(tempfile.gettempdir()) / "ftproviders" / name


class ProviderSettings(BaseModel):
    """How to reach a provider. Subclass and add fields; keys are ``SecretStr``.

    A field is filled from, in this order: an argument, ``FTPROVIDERS_<PROVIDER>_<FIELD>``, the
    provider's own variables (``json_schema_extra={"env": ["OPENAI_API_KEY"]}``), the profile. A
    secret that none of them has is what the command ``<field>_command`` of the environment or the
    profile prints.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    home: Path = Field(default_factory=lambda: _own_folder("home"), repr=False)
    """Folder in which the provider may keep state; set by the configuration."""
    cache: Path = Field(default_factory=lambda: _own_folder("cache"), repr=False)
    """Folder for what can be made again; set by the configuration."""

    @classmethod
    def load(
        cls, name: str, config: Config, *, environ: Mapping[str, str], **overrides: Any
    ) -> Self:
        """Collect the settings of provider `name`.

        Args:
            name: The provider's name.
            config: Folders and profile.
            environ: The environment to read.
            **overrides: Fields set by argument.

        Raises:
            ConfigurationError: A value is not acceptable. Values are never shown.
        """
        values: dict[str, Any] = dict(config.provider_settings(name))
        prefix = f"FTPROVIDERS_{name.upper().replace('-', '_')}_"
        for field, description in cls.model_fields.items():
            extra = description.json_schema_extra
            own = extra.get("env") if isinstance(extra, dict) else None
            names = [prefix + field.upper(), *(map(str, own) if isinstance(own, list) else ())]
            for variable in names:
                if environ.get(variable):
                    values[field] = environ[variable]
                    break
        if "profile" in cls.model_fields:
            values.setdefault("profile", config.profile)
        values.setdefault("home", config.home)
        values.setdefault("cache", config.cache)
        values |= {key: value for key, value in overrides.items() if value is not None}
        for field in (f for f, d in cls.model_fields.items() if _is_secret(d.annotation)):
            inside = values.pop(f"{field}_command", None)
            command = environ.get(f"{prefix}{field.upper()}_COMMAND") or inside
            if command and values.get(field) is None:
                values[field] = _said_by(command, name=name, field=field)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                f"Setting {where} of {name} is not accepted: {first['msg']}.",
                provider=name,
                hint=f"See `ftproviders providers {name}` for the settings it has.",
            ) from error
