"""What makes two submissions the same submission.

The identity is SHA-256 over canonical JSON of what the user *stated*: never of resolved defaults
(an upgrade must not change it), paths, cost limits, notes or output flags.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from ftproviders.provider import ProviderOptions
from ftproviders.schema.dataset import Dataset
from ftproviders.schema.job import JobSpec
from ftproviders.schema.value import JsonValue

__all__ = ["IDENTITY_VERSION", "identity", "submission_id"]

IDENTITY_VERSION = 1

_DIGEST_BYTES = 15  # 24 characters of base32, without padding


def identity(
    spec: JobSpec,
    *,
    account: str,
    base_model: str,
    options: ProviderOptions,
    training: Dataset,
    validation: Dataset | None,
    further: Mapping[str, JsonValue] | None = None,
) -> Mapping[str, JsonValue]:
    """Return everything that identifies a submission, but for the attempt number.

    Args:
        spec: What the user asked for.
        account: The provider's full account string.
        base_model: The base model as written for this provider.
        options: The provider's own options; only those stated count.
        training: Training file as it was read.
        validation: Validation file as it was read.
        further: What the adapter adds, for instance the digest of a template.
    """
    stated = options.model_dump(mode="json", exclude_unset=True)
    content: dict[str, JsonValue] = {
        "version": IDENTITY_VERSION,
        "provider": spec.provider,
        "account": account,
        "base_model": base_model,
        "method": spec.method.value,
        "hyperparameters": {k: _plain(v) for k, v in spec.hyperparameters.stated.items()},
        "options": {key: _plain(value) for key, value in stated.items()},
        "suffix": spec.suffix,
        "seed": spec.seed,
        "training_file": training.sha256,
        "validation_file": validation.sha256 if validation else None,
    }
    return content | ({"further": dict(further)} if further else {})


def submission_id(content: Mapping[str, JsonValue], *, attempt: int) -> str:
    """Return the id of one attempt: ``ft`` and 24 characters of lower-case base32.

    It is valid as an Azure ML job name, a repository part, an ARM deployment name and a label.
    """
    canonical = json.dumps(
        {**content, "attempt": attempt},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]
    return "ft" + base64.b32encode(digest).decode("ascii").lower()


def _plain(value: JsonValue) -> JsonValue:
    """Write 2.0 as 2, so that a field that changes from int to float changes no identity."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
