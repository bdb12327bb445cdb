"""Keys of many shapes, and where they must not turn up.

The keys are put together here, so that no file of this project holds anything that looks real.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from typing_extensions import override

from ftproviders.testing.openai import OpenAIEmulator
from ftproviders.testing.openai.wire import RawRequest, Reply

_WORD, _HEX = string.ascii_letters + string.digits, "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits
_BASE64 = _WORD + "+/"
_PIECE = 16
"""Characters in a row that would give too much of a key away."""


def _filler(size: int, letters: str = _WORD) -> str:
    chance = random.Random(f"{size}{letters}")
    return "".join(chance.choice(letters) for _ in range(size))


KEYS: Mapping[str, str] = {
    "openai": f"sk-{_filler(48)}",
    "openai-project": f"sk-proj-{_filler(74)}-{_filler(40)}_{_filler(38)}",
    "openai-service-account": f"sk-svcacct-{_filler(58)}",
    "openai-admin": f"sk-admin-{_filler(58)}",
    "openai-none": f"sk-None-{_filler(48)}",
    "openai-ephemeral": f"ek_{_filler(32, _HEX)}",
    "proxy-short": f"sk-{_filler(4, '123456789')}",
    "azure-32-hex": _filler(32, _HEX),
    "azure-84": _filler(84),
    "entra-jwt": f"eyJ{_filler(33)}.eyJ{_filler(120)}.{_filler(86)}",
    "entra-client-secret": f"{_filler(3)}8Q~{_filler(34)}",
    "azure-storage": f"{_filler(86, _BASE64)}==",
    "azure-connection-string": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey="
    f"{_filler(86, _BASE64)}==;EndpointSuffix=core.example.net",
    "azure-sas": f"sv=2024-11-04&ss=b&sig={_filler(43)}%3D",
    "hugging-face": f"hf_{_filler(34)}",
    "hugging-face-organization": f"api_org_{_filler(34)}",
    "wandb-40-hex": _filler(40, _HEX),
    "wandb-local": f"local-{_filler(40, _HEX)}",
    "anthropic": f"sk-ant-api03-{_filler(93)}AA",
    "openrouter": f"sk-or-v1-{_filler(64, _HEX)}",
    "groq": f"gsk_{_filler(52)}",
    "xai": f"xai-{_filler(80)}",
    "replicate": f"r8_{_filler(37)}",
    "langsmith": f"lsv2_pt_{_filler(32, _HEX)}_{_filler(10, _HEX)}",
    "aws-id": f"AKIA{_filler(16, _UPPER)}",
    "aws-secret": _filler(40, _BASE64),
    "google": f"AIza{_filler(35)}",
    "google-oauth": f"ya29.{_filler(120)}",
    "databricks": f"dapi{_filler(32, _HEX)}",
    "github": f"ghp_{_filler(36)}",
    "gitlab": f"glpat-{_filler(20)}",
    "slack": f"xoxb-{_filler(12, '123456789')}-{_filler(24)}",
    "telegram": f"{_filler(9, '123456789')}:{_filler(35)}",
    "uuid": "-".join(_filler(size, _HEX) for size in (8, 4, 4, 4, 12)),
    "password-connection-string": f"Server=db.example.com;User=sa;Password={_filler(14)}!",
    "password-in-url": f"https://app:{_filler(12)}@db.example.com/prod?ssl=1",
    "quotes-and-backslashes": f'p\'q"{_filler(6)}\\n{_filler(6)}\\"',
    "url-characters": f"a/b?c=d&e#f%20{_filler(8)}+g@h:i",
    "markup": f"[bold]{_filler(8)}[/bold]<b>&amp;{{x}}$y`z`",
    "spaces-inside": f"four words {_filler(8)} key",
    "very-short": "k3y-9z",
    "longer-than-a-line": _filler(900),
}
"""Name -> a key that a header can carry; forty shapes and two."""

UNSENDABLE: Mapping[str, str] = {
    "unicode": f"schlüssel-ключ-鍵-{_filler(20)}",
    "line-break-at-the-end": f"sk-{_filler(48)}\n",
    "line-break-inside": f"sk-{_filler(24)}\r\nX-More: {_filler(12)}",
    "nul": f"sk-{_filler(20)}\0{_filler(20)}",
}
"""Keys that no header can carry: they never get as far as the service."""


def forms(key: str) -> set[str]:
    """Return how a key, or a telling part of it, could be written somewhere."""
    key = key.strip()
    whole = {
        key,
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
        repr(key)[1:-1],
        quote(key, safe=""),
        quote(key),
        quote_plus(key),
        base64.b64encode(key.encode()).decode().rstrip("="),
    }
    longest = max(key.replace("\0", "\n").split(), key=len)
    if len(longest) > 2 * _PIECE:
        start = (len(longest) - _PIECE) // 2
        whole |= {longest[start : start + _PIECE], longest[-_PIECE:]}
    return whole


def leaks(key: str, texts: Mapping[str, str], folders: Iterable[Path] = ()) -> list[str]:
    """Name every text, and every file in the folders, in which a form of the key stands."""
    wanted = forms(key)
    found = [where for where, text in texts.items() if any(form in text for form in wanted)]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            told = str(path.relative_to(folder)).encode() + b"\n" + content
            if any(form.encode() in told for form in wanted):
                found.append(str(path))
    return found


def modes(folder: Path) -> dict[str, str]:
    """Return everything in and with a folder that others than its owner may use."""
    everything = [folder, *folder.rglob("*")]
    return {
        str(path): oct(mode & 0o777)
        for path in everything
        if (mode := path.stat().st_mode) & 0o777 != (0o700 if path.is_dir() else 0o600)
    }


class Parrot(OpenAIEmulator):
    """A service that repeats the key wherever it says something in words."""

    planted = ""

    @override
    def _handle(self, raw: RawRequest) -> Reply:
        reply = super()._handle(raw)
        if not self.planted or not isinstance(reply.payload, dict):
            return reply
        return replace(reply, payload=self._repeat(reply.payload))

    def _repeat(self, payload: Any) -> Any:
        if isinstance(payload, list):
            return [self._repeat(one) for one in payload]
        if not isinstance(payload, dict):
            return payload
        found = {name: self._repeat(value) for name, value in payload.items()}
        for name in ("message", "status_details"):
            if isinstance(found.get(name, {}), str | None):
                found[name] = f"{found[name] or ''} you sent Bearer {self.planted}: {payload}"
        return {**found, "x_echo": {"authorization": f"Bearer {self.planted}", self.planted: 1}}
