"""The management plane as hosting uses it: plain values, errors of ours, no class of an SDK.

`management` makes the requests and is imported on the first of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ftproviders.adapters._openai_dialect.explaining import Explanation
from ftproviders.adapters._openai_dialect.refusals import Refusal, explained
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.adapters.azure_openai.adapter import default_credential
from ftproviders.adapters.azure_openai.options import AzureOpenAISettings
from ftproviders.adapters.azure_openai.requirements import (
    lacking,
    missing,
    no_token,
    not_installed,
    value_of,
)
from ftproviders.adapters.azure_openai.traps import decode
from ftproviders.errors import (
    FineTuneError,
    InvalidRequestError,
    NotFoundError,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from ftproviders.adapters.azure_openai.management import Management

__all__ = ["Plane"]

_Result = TypeVar("_Result")
_NOWHERE = frozenset({"SubscriptionNotFound", "ResourceGroupNotFound", "ParentResourceNotFound"})
"""Codes of a 404 that is not about the deployment, but about where it would be."""
_PROVIDER = "azure-openai"


class Plane:
    """The deployments of one resource.

    Args:
        settings: Connection settings.
        management: What makes the requests; None = as the settings say.
    """

    def __init__(self, settings: AzureOpenAISettings, management: Management | None = None) -> None:
        self._settings = settings
        self._made = management
        self._scrubber = management.scrubber if management is not None else Scrubber()
        self._there = False
        """True once the resource has shown itself or a deployment."""

    @property
    def _management(self) -> Management:
        if self._made is None:
            names = lacking(self._settings)
            if names:
                raise missing(*names)
            absent = not_installed()
            if absent is not None:
                raise absent
            module = importlib.import_module(f"{__package__}.management")
            self._made = module.Management(
                module.Account(
                    subscription=self._settings.subscription_id,
                    group=self._settings.resource_group,
                    name=value_of(self._settings, "resource"),
                ),
                credential=default_credential,
                arm_endpoint=self._settings.arm_endpoint,
                timeout_seconds=self._settings.timeout_seconds,
                scrubber=self._scrubber,
            )
        return self._made

    def close(self) -> None:
        """Close connections; may be called again."""
        if self._made is not None:
            self._made.close()

    # --- reading -----------------------------------------------------------------------------

    def read(self, name: str, *, operation: str = "deployment") -> Mapping[str, Any] | None:
        """Return a deployment as it is shown, or None when there surely is none of the name."""
        management = self._management
        try:
            answer = self._call(operation, lambda: management.get(name))
        except NotFoundError:
            if not self._there:
                # A 404 may also be about the resource: that must not pass for "not deployed".
                self.resource()
            return None
        self._there = True
        return answer.body

    def page(self, cursor: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return one page of the deployments, and the cursor of the next."""
        management = self._management
        if cursor is not None and not management.has(cursor):
            raise UnexpectedResponseError(
                "azure-openai: the list of deployments goes on at another server, which is not "
                "asked: it would be given the token.",
                provider=_PROVIDER,
                operation="deployments",
                hint="Set arm_endpoint (AZURE_ARM_ENDPOINT) to where the service really is.",
            )
        try:
            found = self._call("deployments", lambda: management.page(cursor))
        except NotFoundError as error:
            raise self._nowhere() from error
        self._there = True
        return found

    def resource(self) -> tuple[Mapping[str, Any], datetime | None]:
        """Return the resource itself, and the service's time.

        Raises:
            InvalidRequestError: There is none.
        """
        management = self._management
        try:
            answer = self._call("check", management.resource)
        except NotFoundError as error:
            raise self._nowhere() from error
        self._there = True
        return answer.body, answer.date

    def permissions(self) -> Mapping[str, Any]:
        """Return what the caller may do with the resource."""
        return self._call("check", self._management.permissions).body

    def operation(self, url: str) -> Mapping[str, Any]:
        """Return a long-running operation; nothing when its address is another server's."""
        management = self._management
        answer = self._call("deployment", lambda: management.operation(url))
        told: Mapping[str, Any] = {} if answer is None else self._scrubber.json(answer.body)
        return told

    # --- changing ----------------------------------------------------------------------------

    def make(self, name: str, body: Mapping[str, Any], *, tenant: str | None) -> str | None:
        """Make a deployment; return where its operation can be followed."""
        management = self._management
        answer = self._call("deploy", lambda: management.put(name, body, tenant=tenant))
        if not answer.body.get("name"):
            raise UnexpectedResponseError(
                f"azure-openai answered deploy with HTTP status {answer.status} and no deployment.",
                provider=_PROVIDER,
                operation="deploy",
                hint="Run the same command again: it finds the deployment if there is one.",
                status_code=answer.status,
            )
        return answer.headers.get("azure-asyncoperation")

    def retag(self, name: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of a deployment."""
        management = self._management
        self._call("extend", lambda: management.patch(name, tags))

    def delete(self, name: str) -> bool:
        """Begin to delete a deployment; False = there is none of the name."""
        management = self._management
        try:
            return self._call("undeploy", lambda: management.delete(name)).status != 204
        except NotFoundError:
            return False

    # --- errors ------------------------------------------------------------------------------

    def _call(self, operation: str, request: Callable[[], _Result]) -> _Result:
        try:
            return request()
        # Whatever the SDKs raise is translated here; the errors of others go on as they are.
        except Exception as error:
            ours = self.translated(error, operation)
            if ours is None:
                raise
            if isinstance(ours, NotFoundError) and ours.code in _NOWHERE:
                raise self._nowhere() from error
            raise ours from error

    def translated(self, error: Exception, operation: str) -> FineTuneError | None:
        """Turn an exception of Azure's SDKs into one of ours; None when it is another's."""
        if type(error).__module__.partition(".")[0] != "azure":
            return None
        module = importlib.import_module(f"{__package__}.management")
        refusal: Refusal | None = module.Management.refusal(error, self._scrubber)
        if refusal is None:
            return None
        if refusal.code in ("CredentialUnavailable", "CredentialFailed"):
            return no_token()
        told = replace(refusal, address=self._settings.arm_endpoint)
        ours = explained(told, provider=_PROVIDER, operation=operation, decode=_meaning)
        if isinstance(ours, UnexpectedResponseError):
            ours.hint = "Check arm_endpoint (AZURE_ARM_ENDPOINT): it is no Resource Manager."
        return ours

    def _nowhere(self) -> InvalidRequestError:
        where = self._management.account
        return InvalidRequestError(
            f"There is no resource {where.name} in resource group {where.group} of subscription "
            f"{where.subscription}, or it is not shown to whoever asks.",
            provider=_PROVIDER,
            hint="Correct subscription_id, resource_group and resource; `ftproviders doctor` "
            "checks them.",
            status_code=404,
        )


def _meaning(refusal: Refusal, operation: str) -> Explanation | None:
    found = decode(
        "arm",
        operation=operation,
        status=refusal.status,
        code=refusal.code,
        message=refusal.message,
    )
    if found is None or found.kind is None:
        return None
    return Explanation(kind=found.kind, cause=found.cause, fix=found.fix, passing=found.passing)
