"""What a rule is, and the numbers and words that several rules share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = [
    "ALL",
    "CHAT",
    "COMPLETION",
    "MAX_DEPTH",
    "MAX_IMAGE_BYTES",
    "MAX_ROW_BYTES",
    "MESSAGES",
    "PAIRS",
    "SPECIAL_TOKENS",
    "Rule",
    "SourceClass",
    "rule",
]

SourceClass = Literal["S", "D", "J"]
"""S: official API description or SDK; D: the vendor's documentation; J: judgement of ours."""

MAX_DEPTH = 100
"""Deepest nesting of a row. Real rows stay under 20; JSON readers give up somewhere above 500."""

MAX_ROW_BYTES = 128 * 1024 * 1024
"""Longest line that is looked at, in bytes: ten images of 10 MB in base64 are 133 MB."""

MAX_IMAGE_BYTES = 10 * 1024 * 1024
"""Largest image in bytes, after base64 [D: OpenAI and Azure vision fine-tuning guides: 10 MB]."""

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|startoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|im_sep|>",
    "<|endofprompt|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
)
"""Control tokens of the cl100k and o200k families (tiktoken's tables), refused inside text."""

ALL = frozenset(Method)
"""Every method."""

PAIRS = frozenset({Method.DPO, Method.ORPO, Method.REWARD})
"""Methods that learn from a preferred and a rejected answer."""

MESSAGES = frozenset({Method.SUPERVISED, Method.REINFORCEMENT})
"""Methods whose rows have a list ``messages``."""

CHAT = MESSAGES | PAIRS
"""Methods whose rows hold messages somewhere."""

COMPLETION = frozenset({Method.SUPERVISED})
"""Methods for which some routes take rows without messages."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule for data files."""

    id: str
    """Stable name, for instance ``message.role``; `DataProfile.severities` is keyed by it."""
    title: str
    """What is asked, in one line."""
    why: str
    """What goes wrong otherwise."""
    severity: Severity | None
    """Default; None means off unless a provider's profile switches the rule on."""
    source: str
    """Where it was read."""
    source_class: SourceClass
    methods: frozenset[Method]
    """Training methods whose rows the rule is for."""


def rule(
    rule_id: str,
    severity: Severity | None,
    title: str,
    why: str,
    source_class: SourceClass,
    source: str,
    methods: frozenset[Method] = ALL,
) -> Rule:
    """Make a row of the table: id, severity, what is asked, why, source."""
    return Rule(
        id=rule_id,
        title=title,
        why=why,
        severity=severity,
        source=source,
        source_class=source_class,
        methods=methods,
    )
