"""What every command gets: the common flags, the two streams, and a client made on first use."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from ftproviders.cli.failures import guarded
from ftproviders.cli.output import Output

if TYPE_CHECKING:
    from ftproviders.client import FineTuneClient
    from ftproviders.config import Config

__all__ = ["COMMON_FLAGS", "Session", "verb"]

P = ParamSpec("P")

COMMON_FLAGS = ("json_mode", "yes", "quiet", "debug", "profile")
"""Parameter names of the flags that every verb takes."""


class Session:
    """One run of one command.

    Args:
        json_mode: ``--json``.
        yes: ``--yes``: consent was given on the command line.
        quiet: ``--quiet``.
        debug: ``--debug``.
        profile: ``--profile``.
    """

    def __init__(
        self,
        *,
        json_mode: bool = False,
        yes: bool = False,
        quiet: bool = False,
        debug: bool = False,
        profile: str | None = None,
    ) -> None:
        self.yes = yes
        self.debug = debug
        self.profile = profile
        self.out = Output(json_mode=json_mode, quiet=quiet)
        self._client: FineTuneClient | None = None

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.client.config

    @property
    def client(self) -> FineTuneClient:
        """The client; made when it is first needed, because that imports the runtime."""
        if self._client is None:
            from ftproviders.client import FineTuneClient

            self._client = FineTuneClient(profile=self.profile)
        return self._client

    def close(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _common() -> list[inspect.Parameter]:
    flags: tuple[tuple[str, Any, Any], ...] = (
        ("json_mode", bool, typer.Option("--json", help="Write JSON to stdout.")),
        ("yes", bool, typer.Option("--yes", help="Do not ask before something that costs money.")),
        ("quiet", bool, typer.Option("--quiet", help="No progress and no hints.")),
        ("debug", bool, typer.Option("--debug", help="Show the traceback of an error.")),
        ("profile", str | None, typer.Option("--profile", help="Profile in config.toml.")),
    )
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if kind is bool else None,
            annotation=Annotated[kind, option],
        )
        for name, kind, option in flags
    ]


def verb(body: Callable[Concatenate[Session, P], int]) -> Callable[..., int]:
    """Make a Typer command of `body`: add the common flags, make the session, guard errors.

    Args:
        body: Takes the session first, then its own arguments; returns the exit code.

    Returns:
        A function with the signature that Typer reads.
    """

    @functools.wraps(body)
    def command(**given: Any) -> int:
        common = {flag: given.pop(flag) for flag in COMMON_FLAGS}
        session = Session(**common)

        def action() -> int:
            try:
                return body(session, **given)  # type: ignore[call-arg] # Typer fills the signature
            finally:
                session.close()

        return guarded(action, output=session.out, debug=session.debug)

    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    signature = inspect.Signature([*own, *_common()], return_annotation=int)
    command.__signature__ = signature  # type: ignore[attr-defined] # read by inspect.signature
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command
