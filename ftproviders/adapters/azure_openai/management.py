"""Requests to Azure Resource Manager through ``azure-mgmt-cognitiveservices``: one attempt each.

The only file beside `adapter` that imports an SDK of Azure's: this one is needed by whoever deploys
alone, and its classes do not leave it. It is imported when the first request is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import CredentialUnavailableError
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient, models
from azure.mgmt.core import ARMPipelineClient

from ftproviders.adapters._openai_dialect.refusals import Refusal, retry_after_seconds, unsent
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.adapters.azure_openai.wire import CLOUDS

__all__ = ["API_VERSION", "Account", "Answer", "Management"]

API_VERSION = "2025-12-01"
"""Pinned: the SDK's own default has no published description here; this one's deployments have
tags, which hold the leases."""
_PERMISSIONS_VERSION = "2022-04-01"
_PUBLIC = "https://management.azure.com"
_LONGEST_RAW = 2000


class Credential(Protocol):
    """What mints tokens: any ``TokenCredential``."""

    def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        """Return a token."""
        ...


@dataclass(frozen=True, kw_only=True)
class Account:
    """A resource in Resource Manager."""

    subscription: str
    group: str
    name: str

    @property
    def id(self) -> str:
        """Its Resource Manager id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.name}"
        )


@dataclass(frozen=True)
class Answer:
    """What came back: status, JSON, headers with names in small letters."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def date(self) -> datetime | None:
        """The service's time."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            return None


class Management:
    """The deployments of one resource.

    Args:
        account: The resource.
        credential: Mints tokens; made on first use.
        arm_endpoint: Address of the management plane.
        timeout_seconds: How long to wait for an answer before it counts as lost.
        scrubber: Learns of every token, and takes it out of what is refused.
    """

    def __init__(
        self,
        account: Account,
        *,
        credential: Callable[[], Credential],
        arm_endpoint: str = _PUBLIC,
        timeout_seconds: float = 120.0,
        scrubber: Scrubber | None = None,
    ) -> None:
        self.account = account
        self.scrubber = scrubber or Scrubber()
        self._endpoint = arm_endpoint.rstrip("/")
        self._make_credential = credential
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: CognitiveServicesManagementClient | None = None
        self._plain: ARMPipelineClient[Any, Any] | None = None
        self._credential: Credential | None = None

    # --- clients -----------------------------------------------------------------------------

    @property
    def scope(self) -> str:
        """For whom the tokens are."""
        host = urlsplit(self._endpoint).hostname or ""
        # What is no cloud is on this machine, and stands in for the public one.
        return f"https://{host}/.default" if host in CLOUDS else f"{_PUBLIC}/.default"

    def _token_source(self) -> Any:
        if self._credential is None:
            self._credential = _Told(self._make_credential(), self.scrubber)
        return self._credential

    def _made(self) -> CognitiveServicesManagementClient:
        with self._lock:
            if self._client is None:
                self._client = CognitiveServicesManagementClient(
                    self._token_source(),
                    self.account.subscription,
                    base_url=self._endpoint,
                    api_version=API_VERSION,
                    credential_scopes=[self.scope],
                    # There is one layer of retries, and it is not this one.
                    retry_policy=RetryPolicy.no_retries(),
                    # A token goes nowhere but to the address that was set.
                    permit_redirects=False,
                    connection_timeout=self._timeout_seconds,
                    read_timeout=self._timeout_seconds,
                )
            return self._client

    def _sender(self) -> ARMPipelineClient[Any, Any]:
        """Return what sends the requests that the SDK has no method for."""
        with self._lock:
            if self._plain is None:
                bearer = BearerTokenCredentialPolicy(self._token_source(), self.scope)
                self._plain = ARMPipelineClient(
                    base_url=self._endpoint,
                    policies=[RetryPolicy.no_retries(), bearer],
                    connection_timeout=self._timeout_seconds,
                    read_timeout=self._timeout_seconds,
                )
            return self._plain

    def close(self) -> None:
        """Close connections and the credential; may be called again."""
        with self._lock:
            for opened in (self._client, self._plain, self._credential):
                close = getattr(opened, "close", None)
                if close is not None:
                    close()
            self._client = self._plain = self._credential = None

    # --- requests ----------------------------------------------------------------------------

    def resource(self) -> Answer:
        """Read the resource itself."""
        return self._ask(self._made().accounts.get)

    def get(self, name: str) -> Answer:
        """Read one deployment."""
        return self._ask(self._made().deployments.get, name)

    def page(self, cursor: str | None) -> tuple[list[Mapping[str, Any]], str | None]:
        """Read one page of the deployments; return it and the cursor of the next."""
        listed = self._made().deployments.list(self.account.group, self.account.name)
        pages = listed.by_page(continuation_token=cursor)
        found = [_plain(one) for one in next(pages, [])]
        after: str | None = getattr(pages, "continuation_token", None)
        return found, after or None

    def put(self, name: str, body: Mapping[str, Any], *, tenant: str | None = None) -> Answer:
        """Make a deployment; do not wait for it.

        Args:
            name: Its name.
            body: With Azure's names.
            tenant: Send a token of this tenant beside the own one.
        """
        given = models.Deployment.deserialize(dict(body))
        headers = {}
        if tenant is not None:
            token = self._token_source().get_token(self.scope, tenant_id=tenant)
            headers["x-ms-authorization-auxiliary"] = f"Bearer {token.token}"
        begin = self._made().deployments.begin_create_or_update
        return self._ask(begin, name, given, polling=False, headers=headers)

    def patch(self, name: str, tags: Mapping[str, str]) -> Answer:
        """Replace the tags of a deployment."""
        given = models.PatchResourceTagsAndSku(tags=dict(tags))
        return self._ask(self._made().deployments.begin_update, name, given, polling=False)

    def delete(self, name: str) -> Answer:
        """Begin to delete a deployment; do not wait for it."""
        return self._ask(self._made().deployments.begin_delete, name, polling=False)

    def operation(self, url: str) -> Answer | None:
        """Read a long-running operation at the address that the service gave.

        None = the address is not at the management plane, so no token is sent there.
        """
        return self._send(url) if self.has(url) else None

    def has(self, url: str) -> bool:
        """Say whether an address is at the management plane: tokens go nowhere else."""
        there, here = urlsplit(url), urlsplit(self._endpoint)
        return (there.scheme, there.netloc) == (here.scheme, here.netloc)

    def permissions(self) -> Answer:
        """Read what the caller may do with the resource (Microsoft.Authorization)."""
        place = f"{self._endpoint}{self.account.id}/providers/Microsoft.Authorization/permissions"
        return self._send(f"{place}?api-version={_PERMISSIONS_VERSION}")

    def _ask(self, call: Callable[..., Any], *args: Any, **more: Any) -> Answer:
        """Make one request of the SDK's; read its answer as the SDK read it."""
        heard: list[Any] = []
        result = call(
            self.account.group,
            self.account.name,
            *args,
            raw_response_hook=heard.append,
            **more,
        )
        if hasattr(result, "result"):
            result = result.result()
        response = heard[-1].http_response
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, _plain(result), headers)

    def _send(self, url: str) -> Answer:
        response = self._sender().send_request(HttpRequest("GET", url))
        if response.status_code != 200:
            # A redirect, too: it is not followed, and says nothing of what was asked.
            raise HttpResponseError(response=response)
        body = response.json() if response.content else {}
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, body if isinstance(body, dict) else {}, headers)

    # --- errors ------------------------------------------------------------------------------

    @staticmethod
    def refusal(error: Exception, scrubber: Scrubber) -> Refusal | None:
        """Say as data how a request failed; None = the error is none of Azure's.

        What the exception itself says is scrubbed too: it stays reachable as the cause.
        """
        if isinstance(error, CredentialUnavailableError):
            return Refusal(kind="unsent", code="CredentialUnavailable")
        if isinstance(error, HttpResponseError) and error.status_code is not None:
            return _status(error, scrubber)
        if isinstance(error, ClientAuthenticationError):
            return Refusal(kind="unsent", code="CredentialFailed")
        if isinstance(error, ServiceRequestError):
            return unsent(error.inner_exception or error)  # it names no cause
        if isinstance(error, ServiceResponseTimeoutError):
            return Refusal(kind="timeout")
        if isinstance(error, ServiceResponseError):
            return Refusal(kind="broken")
        return Refusal(kind="unreadable") if isinstance(error, AzureError) else None


class _Told:
    """A credential whose tokens the scrubber learns of."""

    def __init__(self, inner: Credential, scrubber: Scrubber) -> None:
        self._inner = inner
        self._scrubber = scrubber

    def get_token(self, *scopes: str, **kwargs: Any) -> Any:
        found = self._inner.get_token(*scopes, **kwargs)
        self._scrubber.hide(found.token)
        return found

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


def _status(error: HttpResponseError, scrubber: Scrubber) -> Refusal:
    told = error.error
    response: Any = error.response
    headers = {} if response is None else response.headers
    status = error.status_code or 0
    if 200 <= status < 300:
        return Refusal(kind="unreadable", status=status)
    message, code = getattr(told, "message", None), getattr(told, "code", None)
    _clean(error, scrubber)
    return Refusal(
        kind="status",
        status=status,
        code=scrubber.json(code),
        message=scrubber.text(str(message or "")),
        request_id=scrubber.json(headers.get("x-ms-request-id"), name="request_id"),
        retry_after=retry_after_seconds(headers),
        raw=scrubber.text(str(told))[:_LONGEST_RAW] if told is not None else None,
    )


def _clean(error: HttpResponseError, scrubber: Scrubber) -> None:
    """Take tokens out of an exception; what it has of the answer itself is left out."""
    error.args = tuple(scrubber.text(a) if isinstance(a, str) else a for a in error.args)
    for name, value in list(vars(error).items()):
        if isinstance(value, str):
            setattr(error, name, scrubber.text(value))
    error.error = error.model = error.response = None


def _plain(found: Any) -> Mapping[str, Any]:
    """Return one of the SDK's objects with Azure's names."""
    if found is None:
        return {}
    plain: Mapping[str, Any] = found.serialize(keep_readonly=True)
    return plain
