"""The rule table: what every rule asks, why, how bad it is to break it, and who says so.

What lives here: the rules as data, one row each; those for files as a whole, JSON and supervised
rows are written here, the others in ``rules_methods`` and ``rules_images``. What does not: the
code that looks (``exact`` for rows, ``validation`` for the file) and what a single provider makes
of a rule (its `DataProfile`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ftproviders.data.rule import (
    CHAT,
    MAX_DEPTH,
    MAX_ROW_BYTES,
    MESSAGES,
    PAIRS,
    SPECIAL_TOKENS,
    Rule,
    SourceClass,
    rule,
)
from ftproviders.data.rules_content import SECRET_RULES, TEMPLATE_RULES
from ftproviders.data.rules_images import IMAGE_RULES
from ftproviders.data.rules_methods import METHOD_RULES
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = [
    "MAX_DEPTH",
    "MAX_ROW_BYTES",
    "RULES",
    "SPECIAL_TOKENS",
    "Rule",
    "SourceClass",
    "rules_for",
]

_SUPERVISED = frozenset({Method.SUPERVISED})
_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

_ROW_SPEC = "OpenAI API description, FineTuneChatRequestInput"
_MESSAGE_SPEC = "OpenAI API description, ChatCompletionRequestMessage"
_GUIDE = "OpenAI fine-tuning guide"

_UNREADABLE = "The service reads one JSON object from each line and refuses the whole file."
_SILENT = "Readers disagree about it, so what is trained is not what you see."

_FILE_RULES = (
    rule("file.empty", _ERROR, "The file has rows.", "There is nothing to train on.", "S",
          _ROW_SPEC),
    rule("file.format", _ERROR, "The file is JSON Lines: one JSON object a line, in UTF-8.",
          _UNREADABLE, "D", f"{_GUIDE}, data format"),
    rule("file.bom", _WARNING, "The file has no byte order mark.",
          "Azure's pages ask for one, OpenAI's do not know it, and some readers refuse it.", "D",
          "Azure OpenAI fine-tuning how-to (2025-04); Microsoft's own samples have none"),
    rule("file.blank_lines", _INFO, "The file has no blank lines.",
          "They are skipped everywhere that we know; line numbers still count them.", "J",
          "judgement"),
    rule("file.crlf", _INFO, "Lines end with a line feed alone.",
          "A carriage return before it is white space in JSON and is accepted.", "J", "RFC 8259"),
    rule("file.last_newline", _INFO, "The last line ends with a line feed.",
          "A file that is cut off looks the same, but a whole last row is accepted.", "J",
          "judgement; Microsoft's own samples have none"),
    rule("file.rows", _ERROR, "The file has as many rows as the provider wants at least.",
          "The job is refused, or stops while the files are checked.", "D",
          "OpenAI and Azure OpenAI fine-tuning guides: 10 training rows"),
    rule("file.bytes", _ERROR, "The file is not larger than the provider takes.",
          "The upload is refused, at Azure sometimes without a word.", "S",
          "OpenAI API description, files: 512 MB"),
    rule("file.upload", _WARNING, "The file fits into one plain upload.",
          "A larger one must go in parts or be imported; Azure's plain upload was seen to look "
          "fine and to fail during the job.", "D",
          "OpenAI API description, files and uploads; microsoft/azure-skills finetuning"),
    rule("file.method", _ERROR, "Provider and model tune with the method.",
          "The job is refused.", "D", "tables of models and methods, see the provider's profile"),
    rule("file.validation", _ERROR, "There is a validation file where the method needs one.",
          "The job is refused.", "D",
          "Azure reinforcement fine-tuning how-to (2026-03); azure-ai-ml 1.35.2, serverless jobs"),
    rule("file.mixed_shapes", _ERROR, "All rows have the same shape.",
          "Loaders take the columns from the first rows, and fail or lose the others.", "J",
          "Hugging Face datasets, JSON loader"),
    rule("rows.duplicate", _WARNING, "No row stands twice, whatever the order of its keys.",
          "What stands twice is learned twice; often it is a mistake of the export.", "J",
          "judgement"),
    rule("rows.conflict", _WARNING, "The same prompt has one answer.",
          "The model cannot learn both; what it answers is left to chance.", "J", "judgement"),
    rule("rows.overlap", _WARNING, "No row of the validation file stands in the training file.",
          "The validation loss then measures memory and looks better than the model is.", "J",
          "judgement"),
)  # fmt: skip

_JSON_RULES = (
    rule("json.encoding", _ERROR, "Every line is UTF-8.", _UNREADABLE, "S",
          "RFC 8259 section 8.1"),
    rule("json.length", _ERROR, f"A line has at most {MAX_ROW_BYTES // 2**20} MiB.",
          "No model takes so much in one row; most likely line ends are missing.", "J",
          "judgement"),
    rule("json.syntax", _ERROR, "Every line is one complete JSON value.", _UNREADABLE, "S",
          "RFC 8259"),
    rule("json.depth", _ERROR, f"Values are nested at most {MAX_DEPTH} deep.",
          "Readers give up on deep values.", "J", "RFC 8259 section 9 lets readers set limits"),
    rule("json.duplicate_key", _ERROR, "An object has each key once.", _SILENT, "S",
          "RFC 8259 section 4"),
    rule("json.constant", _ERROR, "Numbers are finite: no NaN, no Infinity.",
          "They are not JSON, although Python writes and reads them.", "S", "RFC 8259 section 6"),
    rule("json.surrogate", _ERROR, "Text has no lone surrogates.",
          "It cannot be written as UTF-8, so it cannot be trained on.", "S",
          "RFC 8259 section 8.2"),
    rule("json.nul", _ERROR, "Text has no NUL character.",
          "Databases and C readers cut the text there.", "J", "judgement"),
    rule("row.object", _ERROR, "Every row is a JSON object.", _UNREADABLE, "S", _ROW_SPEC),
)  # fmt: skip

_ROW_RULES = (
    rule("row.messages", _ERROR, "A row has a non-empty list `messages`.",
          "There is no conversation to train on.", "S", _ROW_SPEC, MESSAGES),
    rule("row.unknown_key", _WARNING, "A row has only keys that the format knows.",
          "The service has refused files for it; elsewhere the key is lost.", "J",
          "OpenAI cookbook, chat data preparation; service messages seen", _SUPERVISED | PAIRS),
    rule("row.parallel_tool_calls", _ERROR, "`parallel_tool_calls` is true or false.",
          "The row is refused.", "S", _ROW_SPEC, CHAT),
    rule("row.null", _WARNING, "A key that says nothing is left out instead of null.",
          "The description does not allow null there; some readers refuse it.", "J",
          f"{_MESSAGE_SPEC}; Arrow-made files are full of them", CHAT),
    rule("row.deprecated", _INFO, "Functions are written as tools.",
          "`functions`, `function_call` and role `function` are deprecated.", "S",
          _MESSAGE_SPEC, CHAT),
    rule("row.no_assistant", _ERROR, "A row has at least one assistant message.",
          "Only assistant messages are trained on.", "D", f"{_GUIDE}; OpenAI cookbook",
          _SUPERVISED),
    rule("row.last_message", _ERROR, "A row ends with an assistant message.",
          "What follows the last answer is never trained on.", "J",
          "judgement: the guides show none; peers refuse it", _SUPERVISED),
    rule("row.weights", _ERROR, "At least one assistant message has a weight other than 0.",
          "With all weights 0 the row trains nothing.", "S",
          "OpenAI API description, FineTuneChatCompletionRequestAssistantMessage", _SUPERVISED),
    rule("row.consecutive_assistant", None, "No two assistant messages follow each other.",
          "OpenAI accepts it, Azure has refused it.", "D",
          "microsoft-foundry/fine-tuning issue 23", _SUPERVISED),
    rule("row.tokens", _WARNING, "A row has no more tokens than the model takes.",
          "What is beyond the limit is cut off, often the answer.", "D",
          "limits per model, see the provider's profile"),
)  # fmt: skip

_MESSAGE_RULES = (
    rule("message.object", _ERROR, "Every message is a JSON object.", "The row is refused.", "S",
          _MESSAGE_SPEC, CHAT),
    rule("message.role", _ERROR,
          "`role` is system, developer, user, assistant, tool or function.",
          "The row is refused.", "S", _MESSAGE_SPEC, CHAT),
    rule("message.unknown_key", _WARNING,
          "Messages, parts, tools and calls have only keys that their kind knows.",
          "The service has refused files for it; elsewhere the key is lost.", "J",
          "OpenAI cookbook, chat data preparation (message_unrecognized_key)", CHAT),
    rule("message.content", _ERROR,
          "`content` is text or a non-empty list of parts; only an assistant that calls tools or "
          "refuses may go without.", "The row is refused.", "S", _MESSAGE_SPEC, CHAT),
    rule("message.refusal", _ERROR, "`refusal` is text or null.", "The row is refused.", "S",
          _MESSAGE_SPEC, CHAT),
    rule("message.empty", _WARNING, "An assistant message says something.",
          "The model learns to answer with nothing.", "J",
          "OpenAI cookbook, chat data preparation (missing_content)", CHAT),
    rule("message.name", _ERROR, "`name` has 1 to 64 of the characters A-Z a-z 0-9 _ -.",
          "The row is refused.", "S", _MESSAGE_SPEC, CHAT),
    rule("message.weight", _ERROR, "`weight` is the integer 0 or 1, in assistant messages only.",
          "The row is refused.", "S",
          "OpenAI API description, FineTuneChatCompletionRequestAssistantMessage", CHAT),
    rule("message.special_token", _ERROR, "Text holds no control token such as <|endoftext|>.",
          "The service refuses it; elsewhere it ends or forges a turn.", "D", _GUIDE, CHAT),
    rule("content.part", _ERROR,
          "A part has a type that its role may use: assistant text and refusal, user text and "
          "image_url, the others text.", "The row is refused.", "S",
          "OpenAI API description, ChatCompletionRequest*MessageContentPart", CHAT),
    rule("content.part_text", _ERROR, "A text or refusal part holds a string.",
          "The row is refused.", "S",
          "OpenAI API description, ChatCompletionRequestMessageContentPartText", CHAT),
)  # fmt: skip

_TOOL_RULES = (
    rule("tool.shape", _ERROR, "`tools` is a list of function tools.", "The row is refused.", "S",
          "OpenAI API description, ChatCompletionTool", CHAT),
    rule("tool.name", _ERROR, "A function name has 1 to 64 of the characters A-Z a-z 0-9 _ -.",
          "The row is refused.", "S", "OpenAI API description, FunctionObject", CHAT),
    rule("tool.parameters", _ERROR, "`parameters` is a JSON Schema of an object.",
          "The row is refused.", "S", "OpenAI API description, FunctionParameters", CHAT),
    rule("tool_call.shape", _ERROR,
          "`tool_calls` is a non-empty list of function calls with id, name and arguments.",
          "The row is refused.", "S", "OpenAI API description, ChatCompletionMessageToolCall",
          CHAT),
    rule("tool_call.name", _ERROR,
          "The name of a called function has 1 to 64 of the characters A-Z a-z 0-9 _ -.",
          "The row is refused.", "S", "OpenAI API description, FunctionObject", CHAT),
    rule("tool_call.arguments", _ERROR, "`arguments` is a string that holds JSON.",
          "The model learns calls that nobody can read.", "S",
          "OpenAI API description, ChatCompletionMessageToolCall", CHAT),
    rule("tool_call.undeclared", _WARNING, "A called function is declared in the row's tools.",
          "The model learns to call what it was not given.", "J", "judgement", CHAT),
    rule("tool_call.schema", _WARNING, "Arguments fit the declared parameters.",
          "The model learns calls that the tool will refuse.", "J", "judgement", CHAT),
    rule("tool_call.duplicate_id", _ERROR, "Open calls have different ids.",
          "An answer could belong to either.", "J", "judgement", CHAT),
    rule("tool_call.unanswered", _ERROR, "Every call is answered, or ends the row.",
          "The service refuses a conversation that goes on over an open call.", "S",
          _MESSAGE_SPEC, CHAT),
    rule("tool.answer", _ERROR, "A tool message names an open call above it in `tool_call_id`.",
          "The row is refused.", "S",
          "OpenAI API description, ChatCompletionRequestToolMessage", CHAT),
)  # fmt: skip

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        one.id: one
        for one in (
            *_FILE_RULES,
            *_JSON_RULES,
            *_ROW_RULES,
            *_MESSAGE_RULES,
            *_TOOL_RULES,
            *IMAGE_RULES,
            *METHOD_RULES,
            *SECRET_RULES,
            *TEMPLATE_RULES,
        )
    }
)
"""Rule id -> rule, in the order in which the documentation lists them."""


def rules_for(method: Method) -> tuple[Rule, ...]:
    """Return the rules for the rows of `method`, in table order."""
    return tuple(one for one in RULES.values() if method in one.methods)
