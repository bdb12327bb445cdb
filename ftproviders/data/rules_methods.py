"""Rules of single methods and row shapes: a part of the rule table, see ``rules``."""

from __future__ import annotations

from ftproviders.data.rule import COMPLETION, PAIRS, rule
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["METHOD_RULES"]

_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
_PAIR_SPEC = "OpenAI API description, FineTunePreferenceRequestInput"
_REINFORCEMENT = frozenset({Method.REINFORCEMENT})
_TRL = "TRL dataset formats"

_PAIR_RULES = (
    rule("pair.shape", _ERROR,
          "A row has `input`, `preferred_output` and `non_preferred_output`.",
          "There is nothing to prefer.", "S", _PAIR_SPEC, PAIRS),
    rule("pair.input", _ERROR, "`input` is an object with a non-empty list `messages`.",
          "The row is refused.", "S", _PAIR_SPEC, PAIRS),
    rule("pair.input_end", _WARNING, "The input does not end with an assistant message.",
          "The outputs are to answer it; two assistant turns would follow each other.", "J",
          "judgement: the guides show a user message", PAIRS),
    rule("pair.output", _ERROR,
          "An output is a non-empty list of assistant messages, with tool messages between them.",
          "The row is refused.", "S", _PAIR_SPEC, PAIRS),
    rule("pair.no_assistant", _ERROR, "An output has an assistant message.",
          "There is no answer to prefer or to reject.", "D",
          "microsoft/azure-skills finetuning, DPO; Azure DPO how-to", PAIRS),
    rule("pair.several_assistants", _ERROR, "An output has one assistant message.",
          "One completion is preferred over another; what a longer output means is not defined.",
          "D", "OpenAI DPO guide", PAIRS),
    rule("pair.identical", _ERROR, "The two outputs differ.", "The row teaches nothing.", "J",
          "judgement", PAIRS),
    rule("pair.columns", _ERROR,
          "`chosen` and `rejected` (and `prompt`) are texts, or lists of messages, all alike.",
          "The trainer cannot tell prompt and answers apart.", "D",
          f"{_TRL}, preference; AutoTrain LLM DPO and ORPO columns", PAIRS),
)  # fmt: skip

_REINFORCEMENT_RULES = (
    rule("grader.last_message", _ERROR, "A row ends with a user message.",
          "The model is to answer it, and the grader looks at that answer.", "D",
          "Azure reinforcement fine-tuning how-to (2026-03)", _REINFORCEMENT),
    rule("grader.reference", _INFO, "A row has a field for the grader beside its messages.",
          "Fields reach the grader as item.*; without one it sees the answer alone.", "D",
          "Azure reinforcement fine-tuning how-to (2026-03)", _REINFORCEMENT),
)  # fmt: skip

_COMPLETION_RULES = (
    rule("completion.fields", _ERROR,
          "`prompt` and `completion` are both text, or both non-empty lists of messages.",
          "The trainer cannot join them.", "D", f"{_TRL}, prompt-completion", COMPLETION),
    rule("completion.empty", _WARNING, "A completion says something.",
          "The model learns to answer with nothing.", "J", "judgement", COMPLETION),
    rule("text.field", _ERROR, "`text` is text that says something.",
          "There is nothing to train on.", "D", f"{_TRL}, language modeling", COMPLETION),
)  # fmt: skip

METHOD_RULES = (*_PAIR_RULES, *_REINFORCEMENT_RULES, *_COMPLETION_RULES)
"""Rules of preference, reinforcement, completion and text rows."""
