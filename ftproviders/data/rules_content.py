"""Rules for what stands in rows, whoever reads them: a part of the rule table, see ``rules``.

Secrets, which ``data.secrets`` finds, and what a base model's own chat template makes of a row,
which ``data.template`` finds.
"""

from __future__ import annotations

from ftproviders.data.rule import CHAT, rule
from ftproviders.schema.dataset import Severity

__all__ = ["SECRET_RULES", "TEMPLATE_RULES"]

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

_LEAK = "Who gets the file can use it, and a tuned model can be made to say what it was taught."

SECRET_RULES = (
    rule("secret.token", _WARNING, "Rows hold no keys or tokens of services.", _LEAK, "D",
         "shapes of keys as their issuers document them, see ftproviders.data.secrets.KINDS"),
    rule("secret.jwt", _WARNING, "Rows hold no JSON Web Tokens.", _LEAK, "D", "RFC 7519"),
    rule("secret.private_key", _WARNING, "Rows hold no private keys.", _LEAK, "D",
         "RFC 7468; GnuPG for PGP"),
    rule("secret.password", _WARNING, "Rows hold no connection strings with passwords.", _LEAK,
         "D", "RFC 3986 section 3.2.1; Microsoft documentation, connection string syntax"),
)  # fmt: skip
"""Rules for secrets; option ``secrets`` of `validate` makes them errors, or switches them off."""

_TEMPLATE = "the base model's own chat template, rendered as the training renders it"

TEMPLATE_RULES = (
    rule("template.refused", _ERROR, "The base model's chat template takes the row.",
         "The training stops at the first row that the template refuses.", "J", _TEMPLATE, CHAT),
    rule("template.dropped", _WARNING, "The base model's chat template writes what the row says.",
         "What the template leaves out is not learned from, and not seen when the model answers.",
         "J", _TEMPLATE, CHAT),
    rule("template.rewritten", _ERROR,
         "The chat template does not write earlier messages differently when one is added.",
         "The assistant's words cannot be told apart, so the training stops.", "J", _TEMPLATE,
         CHAT),
    rule("template.masked", _ERROR, "A row has assistant tokens to learn from.",
         "The training stops at rows that teach nothing.", "J",
         f"{_TEMPLATE}: weight 0, empty answers, or answers beyond the longest row", CHAT),
    rule("template.truncated", _WARNING, "A row fits in the longest row of the training.",
         "What is beyond it is cut off, often the answer.", "J", _TEMPLATE, CHAT),
)  # fmt: skip
"""Rules for the base model's template; they are looked at where the model is at hand."""
