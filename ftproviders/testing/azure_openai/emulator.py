"""An emulator of Azure OpenAI's data plane: a real HTTP server on this machine, for the real SDK.

It answers on the dated routes, on those without a date and on those of a project, each by its own
rules; faults, record and clock are those of the emulator of OpenAI's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from ftproviders.testing.azure_openai.call import AzureBehaviour, Route, route_of
from ftproviders.testing.azure_openai.dataplane import AzureService
from ftproviders.testing.azure_openai.identity import DATA_AUDIENCES, IdentityEmulator
from ftproviders.testing.azure_openai.resource import Resource
from ftproviders.testing.openai import operations
from ftproviders.testing.openai.checks import check_key
from ftproviders.testing.openai.clocks import Clock, SteerableClock
from ftproviders.testing.openai.emulator import OpenAIEmulator
from ftproviders.testing.openai.faults import WireFault
from ftproviders.testing.openai.operations import JSON, OPERATIONS, Operation
from ftproviders.testing.openai.refusal import ApiError
from ftproviders.testing.openai.service import Service
from ftproviders.testing.openai.wire import RawRequest

__all__ = ["AZURE_KEY", "TABLES", "AzureOpenAIEmulator"]

AZURE_KEY = "0123456789abcdef0123456789abcdef"
_NOT_HERE = frozenset(
    {
        "listModels", "retrieveModel", "createFineTuningCheckpointPermission",
        "listFineTuningCheckpointPermissions", "deleteFineTuningCheckpointPermission",
    }
)  # fmt: skip
"""What Azure's description does not have; deleting a model is documented elsewhere."""
_UPLOADS = "/uploads"
_CHAT = "createChatCompletion"
_PLAIN = tuple(
    replace(o, query=o.query - {"metadata"}) for o in OPERATIONS if o.name not in _NOT_HERE
)
"""No list is filtered by metadata here."""
TABLES: Mapping[str, Sequence[Operation]] = {
    "v1": _PLAIN,
    "project": tuple(o for o in _PLAIN if not o.path.startswith(_UPLOADS)),
    "dated": (
        *(o for o in _PLAIN if o.name not in (_CHAT, "deleteModel")),
        Operation(_CHAT, "POST", "/deployments/{deployment_id}/chat/completions", JSON),
    ),
}
"""The requests of each route."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_FIRST, _LAST = "2023-05-15", "2026-12-31"
"""Dates of api-versions that are taken at all."""


class AzureOpenAIEmulator(OpenAIEmulator):
    """The data plane of one emulated resource.

    Args:
        folder: Keep all state there; None = in a temporary folder that `close` removes.
        clock: Where the time comes from.
        api_key: The only key that is let in, as ``api-key`` or as bearer.
        behaviour: Durations, limits and habits of the service.
        faults: Faults to inject at once.
        host: Address to listen at.
        port: Port; 0 = any that is free.
        tick_seconds: Each request moves the clock forward by this much first.
        resource: What is deployed; None = a resource of its own, where nothing is.
        identity: Whose tokens are let in beside the key; None = nobody's.
        audiences: For whom such a token may be.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        clock: Clock | None = None,
        api_key: str = AZURE_KEY,
        behaviour: AzureBehaviour | None = None,
        faults: Iterable[WireFault] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tick_seconds: float = 0.0,
        resource: Resource | None = None,
        identity: IdentityEmulator | None = None,
        audiences: Sequence[str] = DATA_AUDIENCES,
    ) -> None:
        own = clock or (resource.clock if resource else SteerableClock())
        super().__init__(
            folder,
            clock=own,
            api_key=api_key,
            behaviour=behaviour or AzureBehaviour(),
            faults=faults,
            host=host,
            port=port,
            tick_seconds=tick_seconds,
        )
        self.resource = resource or Resource(clock=own)
        """The resource whose data plane this is."""
        self.resource.lookups.append(self._root_of)
        self.identity = identity
        self.audiences = tuple(audiences)

    @property
    def endpoint(self) -> str:
        """What an SDK takes as the endpoint of the resource."""
        return self.root_url

    @property
    @override
    def base_url(self) -> str:
        """What the plain SDK takes as its base URL; ends in ``/openai/v1``."""
        return f"{self.root_url}/openai/v1"

    @property
    @override
    def environment(self) -> dict[str, str]:
        """The variables by which an SDK, the library or the command line finds this server."""
        return {"AZURE_OPENAI_ENDPOINT": self.endpoint, "AZURE_OPENAI_API_KEY": self.api_key}

    def _root_of(self, name: str) -> str | None:
        """Return the base model of a tuned model or checkpoint that a job has made."""
        with self.store.transaction() as state:
            for model in state.all("model"):
                if name in (model["id"], model["checkpoint_id"]):
                    return str(model["root"])
        return None

    # --- in Azure's manners ------------------------------------------------------------------

    @override
    def _service(self, target: str) -> Service:
        url = urlsplit(target)
        version = parse_qs(url.query).get("api-version", [""])[0]
        return AzureService(route_of(url.path), version, self.resource)

    @override
    def _route(self, method: str, path: str) -> tuple[Operation | None, Mapping[str, str], bool]:
        route = route_of(path)
        if route is None:
            return None, {}, False
        return operations.match(method, route.inner(path), TABLES[route.kind])

    @override
    def _key_word(self, raw: RawRequest) -> str:
        plain, bearer = raw.headers.get("api-key"), raw.headers.get("authorization")
        if plain is None and bearer is None:
            return "missing"
        if self.api_key in (plain, (bearer or "").removeprefix("Bearer ")):
            return "right"
        if self.identity is None or bearer is None:
            return "wrong"
        verdict = self.identity.verdict(bearer, self.audiences)
        return "right" if verdict == "right" else "wrong"

    @override
    def _admit(self, raw: RawRequest, path: str) -> None:
        check_key(self._key_word(raw))
        route = route_of(path)
        if route is not None:
            _check_version(route, parse_qs(urlsplit(raw.target).query).get("api-version", []))

    @override
    def _own_query(self, path: str, query: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        return [pair for pair in query if pair[0] != "api-version"]


def _check_version(route: Route, versions: Sequence[str]) -> None:
    """Hold an api-version against the route.

    Raises:
        ApiError: The route wants another, or none.
    """
    if len(versions) > 1:
        raise ApiError("A parameter stands twice in the query.")
    version = versions[0] if versions else None
    if route.kind != "dated":
        if version not in (None, "v1", "preview"):
            raise ApiError("API version not supported", code="BadRequest")
        return
    if version is None:
        raise ApiError("Resource not found", status=404)
    if not _DATE.fullmatch(version) or not _FIRST <= version[:10] <= _LAST:
        raise ApiError("API version not supported", code="BadRequest")
