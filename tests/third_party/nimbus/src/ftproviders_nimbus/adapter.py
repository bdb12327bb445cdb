"""The adapters of Nimbus: the only file that talks to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from ftproviders.errors import (
    ConfigurationError,
    DatasetError,
    FineTuneError,
    MissingCredentialsError,
    ProviderConnectionError,
    ProviderTimeoutError,
)
from ftproviders.provider import HostingAdapter, ProviderOptions, TrainingAdapter
from ftproviders.provider.completions import error_for_status
from ftproviders.schema.dataset import PreparedFile
from ftproviders.schema.deployment import DeploymentRef, Endpoint
from ftproviders.schema.job import (
    FileRef,
    FindResult,
    JobEvent,
    JobPage,
    JobRef,
    JobSnapshot,
    JobSpec,
    SubmissionQuery,
    TunedModel,
)
from ftproviders_nimbus import PROVIDER, wire
from ftproviders_nimbus.options import PUBLIC_URL, NimbusOptions, NimbusSettings

if TYPE_CHECKING:
    import httpx2

__all__ = ["NimbusAdapter", "NimbusHosting"]

_TIMEOUT_SECONDS = 30.0


class NimbusAdapter(TrainingAdapter):
    """Tunes at Nimbus."""

    info = PROVIDER

    def __init__(self, settings: NimbusSettings, *, client: httpx2.Client | None = None) -> None:
        super().__init__(settings)
        self._settings = settings
        self._client = client

    @override
    def account(self) -> str:
        return urlsplit(self._settings.url).netloc

    @override
    def public_account(self) -> str | None:
        return None if self._settings.url == PUBLIC_URL else self.account()

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or _missing_key(self._settings)

    @override
    def upload(self, file: PreparedFile, *, purpose: str, submission_id: str) -> FileRef:
        try:
            content = file.path.read_bytes()
        except OSError as error:
            raise DatasetError(
                f"{file.path} cannot be read: {error.strerror}.",
                provider=self.info.name,
                operation="upload",
                hint="Put the file back; nothing was sent.",
            ) from error
        answer = self._ask("upload", "POST", "files", params={"name": file.name}, content=content)
        return FileRef(
            provider=self.info.name,
            id=answer["id"],
            name=answer["name"],
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            purpose=purpose,
        )

    @override
    def create(
        self,
        spec: JobSpec,
        *,
        options: ProviderOptions,
        files: Sequence[FileRef],
        submission_id: str,
    ) -> JobRef:
        chosen = NimbusOptions.model_validate(options.model_dump())
        body = wire.tuning_body(
            self.info, spec, options=chosen, files=files, submission_id=submission_id
        )
        return self._snapshot(self._ask("create", "POST", "tunings", json=body)).ref

    @override
    def find(self, query: SubmissionQuery) -> FindResult:
        listed: list[JobSnapshot] = []
        cursor: str | None = None
        while True:
            page = self.jobs(cursor=cursor)
            listed.extend(page.jobs)
            cursor = page.cursor
            if cursor is None:
                return wire.matched(query, listed)

    @override
    def retrieve(self, ref: JobRef) -> JobSnapshot:
        return self._snapshot(self._ask("retrieve", "GET", f"tunings/{ref.id}"))

    @override
    def cancel(self, ref: JobRef) -> JobSnapshot:
        return self._snapshot(self._ask("cancel", "POST", f"tunings/{ref.id}/stop"))

    @override
    def events(self, ref: JobRef, *, after: str | None = None) -> Sequence[JobEvent]:
        lines = self._ask("events", "GET", f"tunings/{ref.id}/log")["lines"]
        # Nimbus tells the newest line first, and has no cursor.
        found = [wire.event(line) for line in reversed(lines)]
        return [event for event in found if after is None or int(event.id) > int(after)]

    @override
    def jobs(self, *, cursor: str | None = None) -> JobPage:
        params = {} if cursor is None else {"page": cursor}
        answer = self._ask("jobs", "GET", "tunings", params=params)
        jobs = tuple(self._snapshot(tuning) for tuning in answer["tunings"])
        return JobPage(jobs=jobs, cursor=answer["next"])

    @override
    def translate(self, error: Exception, *, operation: str) -> FineTuneError:
        import httpx2

        if isinstance(error, httpx2.HTTPStatusError):
            status = error.response.status_code
            return error_for_status(status, provider=self.info.name, operation=operation)
        if isinstance(error, httpx2.TimeoutException):
            return self._lost(ProviderTimeoutError, operation)
        if isinstance(error, httpx2.TransportError):
            return self._lost(ProviderConnectionError, operation)
        return super().translate(error, operation=operation)

    def _lost(
        self, kind: type[ProviderTimeoutError | ProviderConnectionError], operation: str
    ) -> FineTuneError:
        return kind(
            f"Nimbus gave no answer to {operation}.",
            provider=self.info.name,
            operation=operation,
            hint="Check the network and the address, then try again.",
        )

    @override
    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _snapshot(self, tuning: Mapping[str, Any]) -> JobSnapshot:
        return wire.snapshot(tuning, account=self.public_account())

    def _ask(self, operation: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        with self._translating(operation):
            response = self._opened().request(method, f"/v1/{path}", **request)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
            return answer

    def _opened(self) -> httpx2.Client:
        if self._client is None:
            import httpx2

            self._client = httpx2.Client(
                base_url=self._settings.url,
                headers=_headers(self._settings),
                timeout=_TIMEOUT_SECONDS,
            )
        return self._client

    @contextmanager
    def _translating(self, operation: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise self.translate(error, operation=operation) from error


class NimbusHosting(HostingAdapter):
    """Chats with tuned models at Nimbus, which answers them at once and speaks OpenAI's shape."""

    info = PROVIDER

    def __init__(self, settings: NimbusSettings) -> None:
        super().__init__(settings)
        self._settings = settings

    @override
    def preflight(self) -> ConfigurationError | None:
        return super().preflight() or _missing_key(self._settings)

    @override
    def endpoint(self, target: TunedModel | DeploymentRef) -> Endpoint:
        name = target.name if isinstance(target, TunedModel) else target.id
        url = f"{self._settings.url}/v1"
        return Endpoint(provider=self.info.name, url=url, model=name, auth="bearer")

    @override
    def credentials(self, endpoint: Endpoint) -> Mapping[str, str]:
        return _headers(self._settings)


def _missing_key(settings: NimbusSettings) -> MissingCredentialsError | None:
    if settings.api_key is not None:
        return None
    return MissingCredentialsError(
        "Nimbus needs a key, and none is set.",
        provider=PROVIDER.name,
        hint="Set NIMBUS_API_KEY.",
    )


def _headers(settings: NimbusSettings) -> dict[str, str]:
    key = settings.api_key
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
