"""For every rule of the table a row that breaks only it, and one that stays just inside.

``¤`` in a broken row marks the place that the issue must name; it is taken out before use.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftproviders.data.rules import MAX_DEPTH

MARK = "¤"
GOOD = '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}'
USER = '{"role": "user", "content": "Hi"}'
ANSWER = '{"role": "assistant", "content": "Yo"}'
CALL = '{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\\"q\\": 1}"}}'
TOOLS = (
    '[{"type": "function", "function": {"name": "look", "parameters": {"type": "object", '
    '"properties": {"q": {"type": "integer"}}, "required": ["q"]}}}]'
)
RESULT = '{"role": "tool", "tool_call_id": "c1", "content": "3"}'


@dataclass(frozen=True)
class RowCase:
    """A row that breaks one rule at one place, and a row that is just inside it."""

    broken: str
    path: str
    inside: str

    @property
    def row(self) -> str:
        return self.broken.replace(MARK, "")

    @property
    def column(self) -> int:
        return self.broken.index(MARK) + 1


def row(*messages: str, extra: str = "") -> str:
    return f'{{"messages": [{", ".join(messages)}]{extra}}}'


def assistant(fields: str) -> str:
    return f'{{"role": "assistant", {fields}}}'


def user_parts(parts: str) -> str:
    return row(f'{{"role": "user", "content": [{parts}]}}', ANSWER)


def called(call: str, *, extra: str = "") -> str:
    return row(USER, assistant(f'"tool_calls": [{call}]'), extra=extra)


def declared(tool: str) -> str:
    return row(USER, ANSWER, extra=f', "tools": {tool}')


def image(fields: str) -> str:
    return user_parts(f'{{"type": "image_url", "image_url": {{{fields}}}}}')


_DEEP = ', "metadata": '
TOOL_DEPTH = MAX_DEPTH - 5  # row, tools, tool, function and parameters are around it


def nested(depth: int, *, mark: str = "") -> str:
    inner = '{"a": ' * (depth - 1) + mark + "{}" + "}" * (depth - 1)
    return declared(
        '[{"type": "function", "function": {"name": "look", "parameters": {"properties": '
        + inner
        + "}}}]"
    )


ROW_CASES: dict[str, RowCase] = {
    "json.syntax": RowCase(row(USER, ANSWER + ", ¤"), "", row(" " + USER, ANSWER + " ")),
    "json.depth": RowCase(nested(TOOL_DEPTH + 1, mark=MARK), "", nested(TOOL_DEPTH)),
    "json.duplicate_key": RowCase(
        row(USER, assistant('"content": "Yo", ¤"content": "Yo"')),
        "messages[1].content",
        row(USER, assistant('"content": "content", "name": "content"')),
    ),
    "json.constant": RowCase(
        declared(
            '[{"type": "function", "function": {"name": "f", "parameters": '
            '{"properties": {"q": {"default": ¤NaN}}}}}]'
        ),
        "tools[0].function.parameters.properties.q.default",
        declared(
            '[{"type": "function", "function": {"name": "f", "parameters": '
            '{"properties": {"q": {"default": "NaN"}}}}}]'
        ),
    ),
    "json.surrogate": RowCase(
        row(USER, assistant('"content": "café ¤\\ud83d!"')),
        "messages[1].content",
        row(USER, assistant('"content": "café \\ud83d\\ude00!"')),
    ),
    "json.nul": RowCase(
        row(USER, assistant('"content": "a¤\\u0000"')),
        "messages[1].content",
        row(USER, assistant('"content": "a\\u0001"')),
    ),
    "row.object": RowCase('¤["a"]', "", GOOD),
    "row.messages": RowCase('{"messages": ¤[]}', "messages", GOOD),
    "row.unknown_key": RowCase(
        row(USER, ANSWER, extra=', ¤"id": 1'), "id", row(USER, ANSWER, extra=', "tools": []')
    ),
    "row.parallel_tool_calls": RowCase(
        row(USER, ANSWER, extra=', "parallel_tool_calls": ¤1'),
        "parallel_tool_calls",
        row(USER, ANSWER, extra=', "parallel_tool_calls": false'),
    ),
    "row.null": RowCase(
        row(USER, assistant('"content": "Yo", "tool_calls": ¤null')),
        "messages[1].tool_calls",
        row(USER, assistant('"content": "Yo", "refusal": null')),
    ),
    "row.deprecated": RowCase(
        row(USER, assistant('"content": "", "function_call": ¤{"name": "f", "arguments": "{}"}')),
        "messages[1].function_call",
        called(CALL),
    ),
    "row.no_assistant": RowCase(f'{{"messages": ¤[{USER}]}}', "messages", row(ANSWER)),
    "row.last_message": RowCase(
        row(USER, ANSWER, MARK + USER), "messages[2]", row(USER, USER, ANSWER)
    ),
    "row.weights": RowCase(
        '{"messages": ¤[' + USER + ', {"role": "assistant", "content": "Yo", "weight": 0}]}',
        "messages",
        row(USER, assistant('"content": "a", "weight": 0'), USER, ANSWER),
    ),
    "row.consecutive_assistant": RowCase(
        row(USER, ANSWER, MARK + ANSWER), "messages[2]", row(USER, ANSWER, USER, ANSWER)
    ),
    "message.object": RowCase(row("¤7", ANSWER), "messages[0]", row(USER, ANSWER)),
    "message.role": RowCase(
        row('{"role": ¤"bot", "content": "Hi"}', ANSWER),
        "messages[0].role",
        row('{"role": "developer", "content": "Hi"}', ANSWER),
    ),
    "message.unknown_key": RowCase(
        row(USER, assistant('"content": "Yo", ¤"id": 3')),
        "messages[1].id",
        row(USER, assistant('"content": "Yo", "audio": null')),
    ),
    "message.content": RowCase(
        row('{"role": "user", "content": ¤null}', ANSWER),
        "messages[0].content",
        row(USER, assistant(f'"content": null, "tool_calls": [{CALL}]')),
    ),
    "message.refusal": RowCase(
        row(USER, assistant('"content": "No", "refusal": ¤true')),
        "messages[1].refusal",
        row(USER, assistant('"content": null, "refusal": "No"')),
    ),
    "message.empty": RowCase(
        row(USER, assistant('"content": ¤" \\n"')),
        "messages[1].content",
        row(USER, assistant('"content": "."')),
    ),
    "message.name": RowCase(
        row(f'{{"role": "user", "content": "Hi", "name": ¤"{"n" * 65}"}}', ANSWER),
        "messages[0].name",
        row(f'{{"role": "user", "content": "Hi", "name": "{"n" * 64}"}}', ANSWER),
    ),
    "message.weight": RowCase(
        row(USER, assistant('"content": "Yo", "weight": ¤true')),
        "messages[1].weight",
        row(USER, assistant('"content": "Yo", "weight": 1')),
    ),
    "message.special_token": RowCase(
        row('{"role": "user", "content": "\\u00e9 end ¤<|endoftext|>"}', ANSWER),
        "messages[0].content",
        row('{"role": "user", "content": "a <|b|> c endoftext|> <|endoftext"}', ANSWER),
    ),
    "content.part": RowCase(
        row(USER, assistant('"content": [{"type": ¤"image_url", "image_url": {}}]')),
        "messages[1].content[0].type",
        row(USER, assistant('"content": [{"type": "refusal", "refusal": "No"}]')),
    ),
    "content.part_text": RowCase(
        user_parts('{"type": "text", "text": ¤5}'),
        "messages[0].content[0].text",
        user_parts('{"type": "text", "text": ""}'),
    ),
    "image.url": RowCase(
        image('"url": ¤"http://example.com/a.png"'),
        "messages[0].content[0].image_url.url",
        image('"url": "data:image/png;base64,iVBORw0KGgo="'),
    ),
    "image.detail": RowCase(
        image('"url": "https://example.com/a.png", "detail": ¤"medium"'),
        "messages[0].content[0].image_url.detail",
        image('"url": "https://example.com/a.png", "detail": "low"'),
    ),
    "tool.shape": RowCase(
        declared('[{"type": ¤"tool", "function": {"name": "f"}}]'),
        "tools[0].type",
        declared('[{"type": "function", "function": {"name": "f"}}]'),
    ),
    "tool.name": RowCase(
        declared('[{"type": "function", "function": {"name": ¤"f g"}}]'),
        "tools[0].function.name",
        declared('[{"type": "function", "function": {"name": "f-g_1"}}]'),
    ),
    "tool.parameters": RowCase(
        declared('[{"type": "function", "function": {"name": "f", "parameters": ¤[]}}]'),
        "tools[0].function.parameters",
        declared('[{"type": "function", "function": {"name": "f", "parameters": {}}}]'),
    ),
    "tool_call.shape": RowCase(
        called(CALL.replace('"type": ', '"type": ¤').replace('"function",', '"tool",')),
        "messages[1].tool_calls[0].type",
        called(CALL),
    ),
    "tool_call.name": RowCase(
        called(CALL.replace('"look"', '¤"look up"')),
        "messages[1].tool_calls[0].function.name",
        called(CALL.replace('"look"', '"look_up"')),
    ),
    "tool_call.arguments": RowCase(
        called(CALL.replace('"{\\"q\\": 1}"', "¤\"{'q': 1}\"")),
        "messages[1].tool_calls[0].function.arguments",
        called(CALL.replace('"{\\"q\\": 1}"', '"{}"')),
    ),
    "tool_call.undeclared": RowCase(
        called(CALL.replace('"look"', '¤"find"'), extra=f', "tools": {TOOLS}'),
        "messages[1].tool_calls[0].function.name",
        called(CALL, extra=f', "tools": {TOOLS}'),
    ),
    "tool_call.schema": RowCase(
        called(
            CALL.replace('"{\\"q\\": 1}"', '¤"{\\"q\\": \\"x\\"}"'), extra=f', "tools": {TOOLS}'
        ),
        "messages[1].tool_calls[0].function.arguments",
        called(CALL.replace("1}", "1.0}"), extra=f', "tools": {TOOLS}'),
    ),
    "tool_call.duplicate_id": RowCase(
        called(CALL + ", " + CALL.replace('"c1"', '¤"c1"')),
        "messages[1].tool_calls[1].id",
        called(CALL + ", " + CALL.replace('"c1"', '"c2"')),
    ),
    "tool_call.unanswered": RowCase(
        row(USER, assistant(f'"tool_calls": [¤{CALL}]'), USER, ANSWER),
        "messages[1].tool_calls[0]",
        row(USER, assistant(f'"tool_calls": [{CALL}]'), RESULT, ANSWER),
    ),
    "tool.answer": RowCase(
        row(
            USER,
            assistant(f'"tool_calls": [{CALL}]'),
            RESULT,
            RESULT.replace('"c1"', '¤"c1"'),
            ANSWER,
        ),
        "messages[3].tool_call_id",
        row(
            USER,
            assistant(f'"tool_calls": [{CALL}, {CALL.replace("c1", "c2")}]'),
            RESULT.replace("c1", "c2"),
            RESULT,
            ANSWER,
        ),
    ),
}
"""Rule id -> rows that are text."""
