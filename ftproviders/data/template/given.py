"""The chat template that a user gives instead of the model's own: found, read, looked at."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ftproviders.data.template.environment import environment
from ftproviders.data.template.messages import default_template
from ftproviders.errors import ConfigurationError

__all__ = ["OUR_TEMPLATE", "GivenTemplate", "given_template", "syntax_problem"]

OUR_TEMPLATE = "chatml"
"""Word that users give for `default_template` where a path of a template is taken."""


@dataclass(frozen=True)
class GivenTemplate:
    """A chat template of the user's choice."""

    text: str
    source: str
    """Where it comes from, for people."""


def given_template(path: str, *, provider: str | None = None) -> GivenTemplate:
    """Read the chat template that a user names.

    Args:
        path: Path of a Jinja file, or ``chatml`` for ours.
        provider: For errors.

    Raises:
        ConfigurationError: It cannot be read, or is no valid Jinja; names file and line.
    """
    if path == OUR_TEMPLATE:
        return GivenTemplate(default_template(), "ChatML of ftproviders, as you chose")
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The chat template {path} cannot be read: {error}.",
            provider=provider,
            operation="plan",
            hint="Give the path of a Jinja file in option chat_template.",
        ) from error
    problem = syntax_problem(text)
    if problem:
        raise ConfigurationError(
            f"The chat template {path} is no valid Jinja: {problem}.",
            provider=provider,
            operation="plan",
            hint=f"Correct {path}, or leave option chat_template out to use the model's own.",
        )
    return GivenTemplate(text, f"your file {path}")


def syntax_problem(text: str) -> str | None:
    """Say in which line a template is broken, and how; None when it is not, or without jinja2."""
    if importlib.util.find_spec("jinja2") is None:
        return None  # whoever renders it says that the package is missing
    import jinja2

    try:
        environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}".rstrip(".")
    # Jinja compiles a template into Python, which may refuse it in its own words.
    except Exception as error:  # noqa: BLE001
        return str(error).rstrip(".") or type(error).__name__
    return None
