"""Questions for sample answers, and asking base and tuned model the same ones."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ftproviders.errors import DatasetError, FineTuneError
from ftproviders.schema.chat import ChatMessage, Role, TextPart
from ftproviders.schema.deployment import ChatReply

__all__ = ["Question", "ask_all", "read_questions"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A conversation to be continued, and how its row continues it."""

    messages: tuple[ChatMessage, ...]
    expected: str | None = None


def read_questions(file: Path, *, most: int) -> tuple[list[Question], bool]:
    """Read the first rows of a chat file as questions.

    The last message of a row is its own answer when the assistant says it. Preference rows are
    read, too: what is preferred is the answer. So are rows of a text under ``prompt``.

    Args:
        file: Chat JSONL.
        most: How many rows.

    Returns:
        The questions, and whether the file has more rows.

    Raises:
        DatasetError: The file cannot be read, or a row is no chat row; the message names the line.
    """
    try:
        with file.open("rb") as lines:
            rows = list(itertools.islice(_rows(file, lines), most + 1))
    except OSError as error:
        raise DatasetError(
            f"{file} cannot be read: {error.strerror}.", hint="Check its name and place."
        ) from error
    return rows[:most], len(rows) > most


def _rows(file: Path, lines: Any) -> Iterator[Question]:
    # Only a line feed ends a row; text may hold every other kind of line end.
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _question(json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            why = "no chat row"
            if isinstance(error, ValidationError):
                why = error.errors(include_url=False)[0]["msg"]
            raise DatasetError(
                f"{file}, line {number}: this is not a question: {why}.",
                hint='Write one {"messages": [{"role": "user", "content": "..."}]} a line; a last '
                "message of the assistant is shown as the expected answer.",
            ) from error


def _question(row: Any) -> Question:
    if isinstance(row.get("prompt"), str) and "messages" not in row:
        return _prompt(row)
    source = row.get("input", row)
    messages = [ChatMessage.model_validate(message) for message in source["messages"]]
    if "preferred_output" in row:
        messages += [ChatMessage.model_validate(one) for one in row["preferred_output"]]
    expected = None
    if messages and messages[-1].role is Role.ASSISTANT:
        expected = _said(messages.pop())
    if not messages:
        raise ValueError("no message is left to ask")
    return Question(messages=tuple(messages), expected=expected)


def _prompt(row: Any) -> Question:
    """Read a row that asks in one text; the answer, where there is one, is a text too."""
    answers = (row.get(name) for name in ("completion", "chosen"))
    expected = next((answer for answer in answers if isinstance(answer, str)), None)
    asked = ChatMessage(role=Role.USER, content=row["prompt"])
    return Question(messages=(asked,), expected=expected)


def _said(message: ChatMessage) -> str:
    if message.tool_calls:
        calls = [f"{c.function.name}({c.function.arguments})" for c in message.tool_calls]
        return "\n".join(calls)
    if isinstance(message.content, tuple):
        return "\n".join(p.text for p in message.content if isinstance(p, TextPart))
    return message.content or message.refusal or ""


def ask_all(
    questions: Sequence[Question],
    chat: Callable[[Sequence[ChatMessage]], ChatReply],
    *,
    on_question: Callable[[int], None],
) -> tuple[list[str | None], FineTuneError | None]:
    """Ask one model all questions; its first refusal ends the asking.

    Args:
        questions: What to ask.
        chat: Sends a conversation.
        on_question: Told the number of each question, from 1.

    Returns:
        An answer for each question, None where there is none, and the refusal.
    """
    answers: list[str | None] = [None] * len(questions)
    for index, question in enumerate(questions):
        on_question(index + 1)
        try:
            answers[index] = chat(question.messages).text
        except FineTuneError as error:
            return answers, error
    return answers, None
