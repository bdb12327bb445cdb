"""Taking keys out of what a server says, before anybody can see, log or store it."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

from ftproviders.data.secrets import find_secrets

__all__ = ["Scrubber"]

_SHORTEST_KEY = 6
_NAMES = frozenset(
    {"checkpoint", "model", "fine_tuned_model", "fine_tuned_model_checkpoint", "object",
     "training_file", "validation_file", "result_files", "filename", "content"}
)  # fmt: skip
"""Fields that name something: a changed name would be another thing."""


class Scrubber:
    """Hides the keys in use, and everything that looks like a key.

    Args:
        *secrets: The keys in use; None and very short ones are passed over.
    """

    def __init__(self, *secrets: str | None) -> None:
        self._own: list[str] = []
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str | None) -> None:
        """Hide another secret from now on, such as a token that was just given."""
        if secret and len(secret) >= _SHORTEST_KEY and secret not in self._own:
            forms = {*self._own, *_forms(secret)}
            self._own = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return `text` with ``***`` in the place of every key."""
        for own in self._own:
            text = text.replace(own, "***")
        data = text.encode("utf-8", "replace")
        found = sorted(find_secrets(data), key=lambda one: one.start, reverse=True)
        for secret in found:
            data = data[: secret.start] + b"***" + data[secret.end :]
        return data.decode("utf-8", "replace") if found else text

    def json(self, value: Any, *, name: str = "") -> Any:
        """Return a JSON value with every text in it scrubbed; names and ids keep their form."""
        if isinstance(value, dict):
            return {self.text(str(k)): self.json(v, name=str(k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.json(item, name=name) for item in value]
        if not isinstance(value, str):
            return value
        if name in _NAMES or name == "id" or name.endswith("_id"):
            for secret in self._own:
                value = value.replace(secret, "***")
            return value
        return self.text(value)


def _forms(secret: str) -> set[str]:
    """Return how a server may write a key: plainly, in JSON, in Python, in an address, in HTML."""
    once = {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        secret.replace("\\", "\\\\"),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
    }
    # An error is often passed on as JSON inside the JSON of another error.
    return once | {json.dumps(form)[1:-1] for form in once}
