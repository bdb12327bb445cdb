"""Where settings come from, and where files of ours live.

Order: argument > job file > environment > profile in ``config.toml`` > default. This room reads
the environment and ``config.toml``; it knows no provider and never goes to the network. Keys are
read from the environment, never from a flag.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ftproviders.errors import ConfigurationError

__all__ = ["Config", "data_engine"]

_APP = "ftproviders"


class Config(BaseModel):
    """Everything that is not part of a job: folders, waiting times, providers' settings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    home: Path
    """Journal and runs. ``FTPROVIDERS_HOME``, else the user's data folder."""
    cache: Path
    """Downloads and converted models. ``FTPROVIDERS_CACHE``, else the user's cache folder."""
    config_file: Path
    """``FTPROVIDERS_CONFIG``, else ``config.toml`` in the user's config folder."""
    profile: str | None = None
    """Profile in use; None = the file's ``default_profile``, if any."""
    provider: str | None = None
    """Provider used when none is named."""
    settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """How long to look for a job after a lost answer before its outcome is called unknown."""
    lock_timeout_seconds: Annotated[float, Field(ge=0)] = 600.0
    """How long to wait for another process that is submitting the same job."""
    poll_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds between two looks at a job; None = by the job's age and the provider."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often a harmless request is tried when the provider has a passing fault."""
    prices_file: Path | None = None
    """TOML file with ``[[training]]`` rows: your own prices, which go before the package's."""
    providers: Mapping[str, Mapping[str, Any]] = Field(default={}, repr=False)
    """Provider name -> settings from the profile; never shown, some may be keys."""

    @classmethod
    def load(
        cls,
        *,
        profile: str | None = None,
        environ: Mapping[str, str] | None = None,
        **overrides: Any,
    ) -> Config:
        """Read environment and ``config.toml``.

        Args:
            profile: Profile to use; default ``FTPROVIDERS_PROFILE``, then the file's
                ``default_profile``.
            environ: Environment to read; default ``os.environ``.
            **overrides: Fields that are set by argument and win over everything.

        Raises:
            ConfigurationError: The file is not TOML, names no such profile, or a value is not
                acceptable.
        """
        env = os.environ if environ is None else environ
        file = Path(
            env.get("FTPROVIDERS_CONFIG")
            or platformdirs.user_config_path(_APP, appauthor=False) / "config.toml"
        ).expanduser()
        content = _read_toml(file)
        name = profile or env.get("FTPROVIDERS_PROFILE") or content.get("default_profile")
        values: dict[str, Any] = {
            "home": platformdirs.user_data_path(_APP, appauthor=False),
            "cache": platformdirs.user_cache_path(_APP, appauthor=False),
            "config_file": file,
            "profile": name,
        }
        values |= _profile(content, name, file)
        settable = set(cls.model_fields) - {"config_file", "providers", "profile"}
        values |= {
            field: env[f"FTPROVIDERS_{field.upper()}"]
            for field in settable
            if env.get(f"FTPROVIDERS_{field.upper()}")
        }
        values |= {key: value for key, value in overrides.items() if value is not None}
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(
                f"Setting not accepted: {_first_problem(error)}.",
                hint=f"Correct FTPROVIDERS_* in the environment or {file}.",
            ) from error
        return config.model_copy(
            update={"home": config.home.expanduser(), "cache": config.cache.expanduser()}
        )

    def provider_settings(self, name: str) -> Mapping[str, Any]:
        """Return what the profile says for provider `name`; empty when it says nothing."""
        wanted = name.replace("_", "-")
        found = {key.replace("_", "-"): dict(value) for key, value in self.providers.items()}
        return found.get(wanted, {})


def data_engine(environ: Mapping[str, str] | None = None) -> str | None:
    """Return which engine looks at data files: ``python``, ``native``, or None = the faster one.

    Args:
        environ: Environment to read ``FTPROVIDERS_DATA_ENGINE`` from; default ``os.environ``.

    Raises:
        ConfigurationError: There is no such engine.
    """
    name = (os.environ if environ is None else environ).get("FTPROVIDERS_DATA_ENGINE") or None
    if name not in {None, "python", "native"}:
        raise ConfigurationError(
            f"FTPROVIDERS_DATA_ENGINE is {name!r}; there is no such engine for data files.",
            hint="Set it to python or native, or unset it: then the faster one is taken.",
        )
    return name


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}.", hint="Check the file or unset FTPROVIDERS_CONFIG."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{file} is not valid TOML: {error}.", hint="Correct that line."
        ) from error


def _profile(content: Mapping[str, Any], name: str | None, file: Path) -> dict[str, Any]:
    profiles = content.get("profiles", {})
    if name is None:
        return {}
    if not isinstance(profiles, dict) or not isinstance(profiles.get(name), dict):
        known = ", ".join(sorted(profiles)) if isinstance(profiles, dict) and profiles else "none"
        raise ConfigurationError(
            f"There is no profile {name!r} in {file} (profiles there: {known}).",
            hint=f"Add [profiles.{name}] to that file, or name another profile.",
        )
    return dict(profiles[name])


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "value"
    return f"{where}: {first['msg']}"
