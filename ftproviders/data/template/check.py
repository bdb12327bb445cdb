"""Looks at rows as the base model's chat template writes them, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from ftproviders.data.findings import Finding, show
from ftproviders.data.ledger import Ledger
from ftproviders.data.secrets import mask
from ftproviders.data.stream import BOM, open_data_file
from ftproviders.data.template.chat import ChatTemplate, EncodedRow, TemplateRefusal
from ftproviders.data.template.messages import NotText, plain_messages
from ftproviders.data.template.pairs import conversations
from ftproviders.data.tokens.counting import RowTokenizer, RowTokens
from ftproviders.data.tokens.totals import decode_row
from ftproviders.schema.template import RenderedRow, TemplateReport, Treatment

__all__ = ["TemplateCheck", "TemplateTokenizer"]

_ROWS = 5_000
"""Rows that are rendered when nobody asks for all: about a millisecond each."""
_SHOWN_ROWS = 3
_SHOWN_CHARACTERS = 2_000
_SPARE_TOKENS = 64

Messages = list[dict[str, Any]]


def _say(role: str, word: str) -> dict[str, Any]:
    return {"role": role, "content": word}


_TOOL = {"type": "function", "function": {"name": "probing_tool", "description": "d", "parameters":
         {"type": "object", "properties": {"x": {"type": "integer"}}}}}  # fmt: skip
_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "probing_tool", "arguments": '{"x": 1}'},
        }
    ],
}
_USER, _ANSWER = _say("user", "alpha"), _say("assistant", "omega")
_PROBES: Mapping[str, tuple[Messages, Sequence[str], bool]] = {
    "system": ([_say("system", "kappa"), _USER, _ANSWER], ("kappa",), False),
    "developer": ([_say("developer", "kappa"), _USER, _ANSWER], ("kappa",), False),
    "tools": ([_USER, _ANSWER], ("probing_tool",), True),
    "tool answers": (
        [_USER, _CALL, {**_say("tool", "kappa"), "tool_call_id": "call00001"}, _ANSWER],
        ("probing_tool", "kappa", "omega"),
        True,
    ),
    "user twice": ([_say("user", "kappa"), _USER, _ANSWER], ("kappa", "alpha"), False),
    "assistant twice": ([_USER, _say("assistant", "kappa"), _ANSWER], ("kappa", "omega"), False),
}
"""Kind -> made-up conversation, words that must come out, whether a tool is declared."""


class TemplateTokenizer(RowTokenizer):
    """Counts rows with a model's own tokenizer and chat template.

    Args:
        chat: The model's template.
        model: How the model is named.
    """

    def __init__(self, chat: ChatTemplate, *, model: str) -> None:
        self._chat = chat
        self._model = model

    @property
    @override
    def name(self) -> str:
        """The model."""
        return self._model

    @property
    @override
    def method(self) -> str:
        """How it counts, in a few words."""
        return f"tokenizer and chat template of {self._model}"

    @override
    def row(self, row: object) -> RowTokens:
        """Count a decoded row; one that the template refuses has no tokens."""
        encoded = _encode(self._chat, row)
        if isinstance(encoded, EncodedRow):
            return RowTokens(encoded.tokens, len(encoded.learned))
        pair = conversations(row)
        if pair is not None:
            return self._pair(pair)
        body = row if isinstance(row, dict) else {}
        given = [self._text(body.get(field)) for field in ("prompt", "text")]
        answer = self._text(body.get("completion"))
        return RowTokens(sum(given) + answer, answer)

    def _pair(self, pair: Iterable[object]) -> RowTokens:
        """Count both conversations of a pair: the model reads the input with each answer."""
        both = [_encode(self._chat, row) for row in pair]
        read = [one for one in both if isinstance(one, EncodedRow)]
        sizes = tuple(one.tokens for one in read)
        return RowTokens(sum(sizes), sum(len(one.learned) for one in read), sizes)

    def _text(self, text: object) -> int:
        return self._chat.count(text) if isinstance(text, str) else 0


class _Broken(NamedTuple):
    """Why a row cannot be encoded."""

    error: NotText | TemplateRefusal | None
    """None: it is no row of messages, which other rules say."""


def _encode(chat: ChatTemplate, row: object) -> EncodedRow | _Broken:
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(messages, list) or not messages:
        return _Broken(None)
    try:
        return chat.encode(messages, tools=row.get("tools"))
    except (NotText, TemplateRefusal) as error:
        return _Broken(error)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return _Broken(None)  # the row is not what the format asks for


class TemplateCheck:
    """Renders rows and notes what is wrong with them.

    Args:
        chat: The base model's tokenizer and template.
        model: How the model is named.
        max_length: Longest row of the training in tokens; None = not known.
    """

    def __init__(self, chat: ChatTemplate, *, model: str, max_length: int | None = None) -> None:
        self._chat = chat
        self._model = model
        self._max_length = max_length
        self._treatments: dict[str, Treatment] = {
            kind: _treatment(chat, *probe) for kind, probe in _PROBES.items()
        }
        self._spare = _spare_tokens(chat)
        self._counts: dict[str, int] = dict.fromkeys(
            ("refused", "dropped", "rewritten", "masked", "truncated", "too_long", "rows"), 0
        )
        self._first: list[RenderedRow] = []

    def check_file(self, path: Path, ledger: Ledger, *, every_row: bool = False) -> TemplateReport:
        """Look at the rows of a file and write what is wrong into `ledger`.

        Looked at are the first 5,000 rows, and all rows that may be too long: tokens never exceed
        bytes by more than what the template adds.

        Args:
            path: The file, JSON Lines.
            ledger: Where findings go.
            every_row: Look at all rows.

        Raises:
            DatasetError: The file cannot be read.
        """
        complete = True
        limit = self._max_length
        with closing(open_data_file(path)) as file:
            for number, line in enumerate(file, start=1):
                if not every_row and self._counts["rows"] >= _ROWS:
                    complete = False
                    if limit is None:
                        break
                    if len(line) + self._spare <= limit:
                        continue
                self._look(line.removeprefix(BOM) if number == 1 else line, number, ledger)
        return self._report(complete=complete)

    def _look(self, line: bytes, number: int, ledger: Ledger) -> None:
        row = decode_row(line)
        encoded = _encode(self._chat, row)
        if isinstance(encoded, _Broken):
            if encoded.error is None:
                return
            finding = self._refusal(row, encoded.error)
            findings: Iterable[Finding] = (finding,)
            self._counts[finding.rule.removeprefix("template.")] += 1
        else:
            self._show(encoded, number)
            findings = self._findings(row, encoded)
        self._counts["rows"] += 1
        text = ""
        for finding in findings:
            text = text or line.decode("utf-8", "replace").rstrip("\r\n")
            ledger.add(finding, line=number, text=text)

    def _show(self, encoded: EncodedRow, number: int) -> None:
        if len(self._first) < _SHOWN_ROWS:
            text = mask(encoded.text)
            if len(text) > _SHOWN_CHARACTERS:
                text = text[: _SHOWN_CHARACTERS - 1] + "…"
            self._first.append(
                RenderedRow(
                    line=number,
                    text=text,
                    tokens=encoded.tokens,
                    learned_tokens=len(self._learned(encoded)),
                )
            )

    def _learned(self, encoded: EncodedRow) -> list[int]:
        limit = self._max_length
        return [at for at in encoded.learned if limit is None or at < limit]

    def _refusal(self, row: Any, error: NotText | TemplateRefusal) -> Finding:
        if isinstance(error, NotText):
            return Finding(
                rule="template.refused",
                path=("messages", error.index, "content"),
                message=f"{error}, which {self._model} cannot learn from",
                fix="Remove the row, or choose a model and provider that take images.",
            )
        if error.rewritten:
            return Finding(
                rule="template.rewritten",
                path=("messages",),
                message=f"the assistant's words cannot be told apart in the chat template of "
                f"{self._model}: {error}",
                fix="Give a template with {% generation %} marks, or keep one answer a row.",
            )
        at = _refused_message(self._chat, row)
        return Finding(
            rule="template.refused",
            path=("messages", at),
            message=f"the chat template of {self._model} refuses the conversation here "
            f"(role {show(row['messages'][at].get('role'))}): {show(str(error))}",
            fix="Change the row, for instance put the text into the user's message, or give "
            "another template.",
        )

    def _findings(self, row: Any, encoded: EncodedRow) -> Iterator[Finding]:
        counts = self._counts
        dropped = list(_dropped(row, encoded.text, self._model))
        counts["dropped"] += bool(dropped)
        yield from dropped
        limit = self._max_length
        too_long = limit is not None and encoded.tokens > limit
        counts["too_long"] += too_long
        if not self._learned(encoded):
            counts["masked"] += 1
            why = f"every answer lies beyond the {limit:,} tokens of the longest row"
            yield Finding(
                rule="template.masked",
                path=("messages",),
                message="the row has no token to learn from: "
                + (why if encoded.learned else "its answers are empty or have weight 0"),
                fix="Shorten the row, raise max_length_tokens, or drop the row.",
            )
        elif too_long:
            counts["truncated"] += 1
            cut = len(encoded.learned) - len(self._learned(encoded))
            yield Finding(
                rule="template.truncated",
                path=("messages",),
                message=f"the row has {encoded.tokens:,} tokens, {limit:,} are trained on; {cut:,} "
                "tokens of answers are cut off",
                fix="Shorten or split the row, or raise max_length_tokens.",
            )

    def _report(self, *, complete: bool) -> TemplateReport:
        return TemplateReport(
            model=self._model,
            template=self._chat.source,
            marked=self._chat.marked,
            treatments=self._treatments,
            complete=complete,
            max_length_tokens=self._max_length,
            first_rows=tuple(self._first),
            **self._counts,
        )


def _dropped(row: Any, text: str, model: str) -> Iterator[Finding]:
    """Yield what the row says and the rendered text does not."""
    for index, message in enumerate(plain_messages(row["messages"])):
        role = message["role"]
        said = message["content"].strip()
        names = [call["function"]["name"] for call in message.get("tool_calls", ())]
        if said and said not in text:
            yield Finding(
                rule="template.dropped",
                path=("messages", index),
                message=f"the chat template of {model} leaves out this {role} message, or a part "
                "of it",
                fix="Put its text where the template writes it, or give another template.",
            )
            return
        if any(name not in text for name in names):
            yield Finding(
                rule="template.dropped",
                path=("messages", index, "tool_calls"),
                message=f"the chat template of {model} leaves out the calls of this message",
                fix="Write calls as text, or choose a model whose template knows tools.",
            )
            return
    tools = [one["function"]["name"] for one in row.get("tools") or ()]
    if any(name not in text for name in tools):
        yield Finding(
            rule="template.dropped",
            path=("tools",),
            key=True,
            message=f"the chat template of {model} leaves out the declared tools",
            fix="Describe the tools in a message, or choose a model whose template knows tools.",
        )


def _refused_message(chat: ChatTemplate, row: Any) -> int:
    """Return the index of the message at which the template refuses the row."""
    messages = plain_messages(row["messages"])
    for count in range(1, len(messages)):
        try:
            chat.render(messages[:count], tools=row.get("tools"))
        except TemplateRefusal:
            # A template may also refuse what only ends too early: that is no fault of the row.
            if count > 1 or _ends_early(chat, messages, row.get("tools")):
                return count - 1
    return len(messages) - 1


def _ends_early(chat: ChatTemplate, messages: Messages, tools: object) -> bool:
    """Say whether a second message does not help either."""
    try:
        chat.render(messages[:2], tools=tools)
    except TemplateRefusal:
        return True
    return False


def _treatment(
    chat: ChatTemplate, messages: Messages, words: Sequence[str], with_tool: bool
) -> Treatment:
    tools = [_TOOL] if with_tool else None
    try:
        text = chat.render(plain_messages(messages), tools=tools)
    except TemplateRefusal:
        return "refused"
    return "kept" if all(word in text for word in words) else "dropped"


def _spare_tokens(chat: ChatTemplate) -> int:
    """Return how many tokens a row may have beyond its bytes: what the template adds by itself."""
    most = 0
    for messages, _, with_tool in _PROBES.values():
        try:
            text = chat.render(plain_messages(messages), tools=[_TOOL] if with_tool else None)
        except TemplateRefusal:
            continue
        most = max(most, chat.count(text))
    return most + _SPARE_TOKENS
