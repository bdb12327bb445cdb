"""Processes of ours that break: at a request, or at a write to the journal."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx2
import openai
from pydantic import SecretStr
from typing_extensions import override

from ftproviders.adapters.openai.adapter import OpenAIAdapter, OpenAIHosting
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.client import FineTuneClient
from ftproviders.config import Config
from ftproviders.errors import JournalError
from ftproviders.runtime import Session
from ftproviders.testing.clock import FakeClock
from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.operations import match

_Result = TypeVar("_Result")
WRITE = "write"
"""Name of the steps that are writes to the journal; other steps are named as requests are."""


class Died(BaseException):
    """The process ends here: like a kill, nothing in the product catches it."""


@dataclass(frozen=True)
class Breakdown:
    """What breaks on this side, at the `nth` step of one name (``*`` = any step)."""

    step: str
    how: Literal["kill", "timeout", "disk full"]
    when: Literal["before", "after"] = "before"
    nth: int = 1


class Process:
    """A client as a new process makes it: adapter, SDK and journal of its own over one folder.

    Args:
        home: Data folder.
        server: The service.
        clock: Time of both sides.
        network: Connections; they outlive a process, so that 500 runs do not make them anew.
        tally: Counts what happened.
    """

    def __init__(
        self,
        home: Path,
        server: OpenAIEmulator,
        *,
        clock: FakeClock,
        network: httpx2.BaseTransport,
        tally: Counter[str],
    ) -> None:
        self.breakdown: Breakdown | None = None
        self._seen = 0
        self._dead = False
        self._tally = tally
        settings = OpenAISettings(
            home=home,
            cache=home / "cache",
            api_key=SecretStr(server.api_key),
            base_url=server.base_url,
        )
        sdk = openai.OpenAI(
            api_key=server.api_key,
            base_url=server.base_url,
            max_retries=0,
            http_client=httpx2.Client(transport=_Wire(self, network)),
        )
        config = Config(home=home, cache=home / "cache", config_file=home / "none.toml")
        self._session = Session(
            config,
            clock=clock,
            environ={},
            adapters={"openai": OpenAIAdapter(settings, client=sdk)},
            hosts={"openai": OpenAIHosting(settings, client=sdk)},
        )
        self.client = FineTuneClient(session=self._session)
        database: Any = self.journal._db
        database.write = self._writing(database.write)
        database.write_all = self._writing(database.write_all)

    @property
    def journal(self) -> Any:
        """The journal as this process sees it."""
        return self._session.journal

    def end(self) -> None:
        """Let go of what the operating system would take back from a process that ends."""
        self._dead = True
        self.client.close()

    def expect(self, breakdown: Breakdown | None) -> None:
        """Break there, counting steps from now on."""
        self.breakdown, self._seen = breakdown, 0

    def step(self, name: str, act: Callable[[], _Result]) -> _Result:
        """Take one step, unless the process breaks at it."""
        if self._dead:
            raise Died
        broken = self.breakdown
        if broken is None or broken.step not in ("*", name):
            return act()
        self._seen += 1
        if self._seen != broken.nth:
            return act()
        self._tally[f"{broken.how} {broken.when}"] += 1
        if broken.when == "before":
            raise self._failure(broken)
        result = act()
        if isinstance(result, httpx2.Response):
            result.close()
        raise self._failure(broken)

    def _failure(self, broken: Breakdown) -> BaseException:
        if broken.how == "kill":
            self._dead = True
            return Died()
        if broken.how == "timeout":
            return httpx2.ReadTimeout("no answer came in time")
        full = sqlite3.OperationalError("database or disk is full")
        return JournalError(f"The journal cannot be written: {full}.", operation="journal")

    def _writing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: self.step(WRITE, lambda: real(*args))


class _Wire(httpx2.BaseTransport):
    """The connections of one process."""

    def __init__(self, process: Process, network: httpx2.BaseTransport) -> None:
        self._process = process
        self._network = network

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        operation, _, _ = match(request.method, request.url.path.removeprefix("/v1"))
        name = operation.name if operation else request.url.path
        return self._process.step(name, lambda: self._network.handle_request(request))
