"""How the emulated resource of Azure OpenAI behaves, and by which route a request came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ftproviders.testing.openai.call import Behaviour

__all__ = ["AzureBehaviour", "Route", "route_of"]

_PROJECT = re.compile(r"/api/projects/[^/]+/openai/v1(?=/)")


@dataclass(frozen=True)
class AzureBehaviour(Behaviour):
    """How the resource behaves; limits are those of its documentation (2026-02)."""

    jobs_limit: int = 100
    """Jobs in all."""
    files_limit: int = 100
    """Files in all."""
    total_bytes_limit: int = 1024**3
    """Bytes of all files together."""
    safety_passes: bool = True
    """False: the check after training finds the tuned model harmful."""


@dataclass(frozen=True)
class Route:
    """Where a request went."""

    kind: Literal["dated", "v1", "project"]
    prefix: str

    def inner(self, path: str) -> str:
        """Return the path behind the prefix."""
        return path.removeprefix(self.prefix)


def route_of(path: str) -> Route | None:
    """Return the route of a path; None = it is none of the data plane's."""
    project = _PROJECT.match(path)
    if project is not None:
        return Route("project", project[0])
    if path.startswith("/openai/v1/"):
        return Route("v1", "/openai/v1")
    return Route("dated", "/openai") if path.startswith("/openai/") else None
