"""An emulator of a managed identity: the address in ``IDENTITY_ENDPOINT``.

``ManagedIdentityCredential``, and so ``DefaultAzureCredential``, ask it for tokens over plain HTTP,
as in Azure App Service: ``GET ?api-version=2019-08-01&resource=...`` with the secret of
``IDENTITY_HEADER``. The tokens are JSON Web Tokens in shape, signed with a key of this emulator's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from ftproviders.testing.openai.wire import HttpServer, RawRequest, Reply

__all__ = ["ARM_AUDIENCE", "DATA_AUDIENCES", "IdentityEmulator", "Verdict"]

ARM_AUDIENCE = "https://management.azure.com"
DATA_AUDIENCES = ("https://cognitiveservices.azure.com", "https://ai.azure.com")
_PATH = "/msi/token"
_API_VERSION = "2019-08-01"
_LIFE_SECONDS = 3600

Verdict = Literal["right", "missing", "wrong", "expired", "audience"]


class IdentityEmulator:
    """One managed identity. Use it as a context manager, or call `start` and `close`.

    Args:
        host: Address to listen at.
        port: Port; 0 = any that is free.
        key: What tokens are signed with; None = a new one, so that only this emulator's count.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, key: bytes | None = None) -> None:
        self.header = secrets.token_urlsafe(16)
        """The secret that whoever asks for a token has to send."""
        self._key = key or secrets.token_bytes(32)
        self._address = (host, port)
        self._server: HttpServer | None = None
        self._lock = threading.Lock()
        self._generation = 0
        self._asked: list[str] = []
        self.refuses = False
        """True = no token is given: nobody has attached an identity."""

    def start(self) -> Self:
        """Begin to listen; does nothing when it listens already."""
        if self._server is None:
            host, port = self._address
            self._server = HttpServer(self._handle, host=host, port=port)
            self._address = (host, self._server.port)
        return self

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which ``azure-identity`` finds this identity, and tries no other."""
        host, port = self._address
        return {
            "IDENTITY_ENDPOINT": f"http://{host}:{port}{_PATH}",
            "IDENTITY_HEADER": self.header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    @property
    def asked(self) -> Sequence[str]:
        """The audiences that tokens were asked for, in order."""
        with self._lock:
            return list(self._asked)

    def expire(self) -> None:
        """Let every token that was given so far be worth nothing."""
        with self._lock:
            self._generation += 1

    def token(self, audience: str) -> str:
        """Mint a token without a request."""
        with self._lock:
            generation = self._generation
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": "https://sts.windows.net/emulated/",
            "oid": "emulated-identity",
            "iat": now,
            "nbf": now,
            "exp": now + _LIFE_SECONDS,
            "gen": generation,
        }
        head = _packed({"typ": "JWT", "alg": "HS256"})
        signed = f"{head}.{_packed(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def verdict(self, authorization: str | None, audiences: Collection[str]) -> Verdict:
        """Say what an ``Authorization`` header is worth.

        Args:
            authorization: The header's value; None = there is none.
            audiences: For whom the token may be, without a slash at the end.
        """
        if authorization is None:
            return "missing"
        scheme, _, token = authorization.partition(" ")
        signed, _, signature = token.rpartition(".")
        if scheme != "Bearer" or not hmac.compare_digest(signature, self._signature(signed)):
            return "wrong"
        claims = json.loads(_unpacked(signed.partition(".")[2]))
        if claims["aud"].rstrip("/") not in audiences:
            return "audience"
        with self._lock:
            current = claims["gen"] == self._generation
        return "right" if current and claims["exp"] > time.time() else "expired"

    def _handle(self, raw: RawRequest) -> Reply:
        url = urlsplit(raw.target)
        query = parse_qs(url.query)
        resource = query.get("resource", [""])[0]
        if raw.method != "GET" or url.path != _PATH:
            return _refusal(404, "There is only GET " + _PATH)
        if query.get("api-version") != [_API_VERSION] or not resource:
            return _refusal(400, f"api-version={_API_VERSION} and resource are needed")
        if raw.headers.get("x-identity-header") != self.header:
            return _refusal(401, "The identity header is wrong")
        with self._lock:
            self._asked.append(resource)
        if self.refuses:
            return _refusal(400, "No managed identity is attached here")
        return Reply(
            200,
            {
                "access_token": self.token(resource),
                "expires_on": str(int(time.time()) + _LIFE_SECONDS),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": "emulated-client",
            },
        )

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._key, signed.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def _refusal(status: int, message: str) -> Reply:
    return Reply(status, {"statusCode": status, "message": message})


def _packed(claims: Mapping[str, Any]) -> str:
    text = json.dumps(claims, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
