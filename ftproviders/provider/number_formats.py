"""Number formats of the weights in an export: which form has which, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping

from ftproviders.errors import ConfigurationError
from ftproviders.schema.export import ExportFormat

__all__ = ["WEIGHTS_OF", "refuse_weights"]

WEIGHTS_OF: Mapping[ExportFormat, tuple[str, ...]] = {
    ExportFormat.ADAPTER: (),
    ExportFormat.MERGED: ("bf16", "fp32"),
    ExportFormat.GGUF: ("bf16", "f16", "q8_0"),
}
"""What can be asked for; a provider may have fewer."""


def refuse_weights(form: ExportFormat, weights: str | None, *, provider: str | None = None) -> None:
    """Refuse a number format that a form is not written in, before anything is read.

    Args:
        form: The form.
        weights: What was asked for; None = the form's default.
        provider: For errors.

    Raises:
        ConfigurationError: There is no such format, or not in this form.
    """
    known = WEIGHTS_OF[form]
    if weights is None or weights in known:
        return
    if known:
        message = f"A model exported as {form.value} is not written in {weights!r}."
        hint = f"Choose {', '.join(known)}, or leave --weights out."
    else:
        message = (
            f"The number format of the weights cannot be chosen for {form.value}: they stay as "
            "they were trained."
        )
        hint = "Leave --weights out, or export as merged or gguf."
    raise ConfigurationError(message, provider=provider, operation="export", hint=hint)
