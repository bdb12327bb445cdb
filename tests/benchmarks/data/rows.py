"""Rows for the benchmark of validation: chats of about 300 bytes or 3 kB, made from a seed.

Of a hundred rows 70 are plain English, 15 hold other scripts and emoji, 10 call a tool and 5 show
an image by its address; ``plain`` files hold nothing but the first two kinds. In ``bad`` files
every row has one of twenty-one faults, each as often as the others. As in real files, texts have
line ends and quotes, which JSON escapes: in 60 of a hundred rows of 3 kB, and in 20 of 300 bytes.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "made_rows", "write_file"]

Row = dict[str, Any]

KINDS = ("mixed-300", "mixed-3000", "plain-300", "plain-3000", "bad-300", "bad-3000")

_ENGLISH = """
the kettle leaks from its base when water boils and my parcel has not come yet please tell me how
long a repair takes because the order was placed last week our team will look at it today thank you
for writing to us a refund was opened you will get a message about it soon
"""
_SCRIPTS = """
ваш заказ отправлен сегодня bestellung übermorgen größe maßband naïve façade ευχαριστώ πολύ
注文は明日届きます 배송이 시작되었습니다 😀 🚚 تم الإرسال धन्यवाद
"""
_LONG_ROWS_WITH_LINES, _SHORT_ROWS_WITH_LINES = 0.6, 0.2
_WORDS, _OTHER = _ENGLISH.split(), _SCRIPTS.split()
_TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Looks an order up.",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string"}},
            "required": ["order"],
        },
    },
}


def _text(chance: random.Random, size: int, words: list[str], *, lines: bool) -> str:
    """Return words of about `size` bytes in all, in lines of about twelve if so wished."""
    mean = sum(len(w.encode()) + 1 for w in words) / len(words)
    chosen = chance.choices(words, k=max(1, int(size / mean)))
    if not lines:
        return " ".join(chosen)
    for at in range(3, len(chosen), 12):
        chosen[at] = chance.choice((f"{chosen[at]}\n", f"{chosen[at]}.\n\n", f'"{chosen[at]}"'))
    return " ".join(chosen)


def _chat(chance: random.Random, size: int, words: list[str]) -> list[Row]:
    each = max(12, (size - 160) // 3)
    lines = chance.random() < (_LONG_ROWS_WITH_LINES if size > 1000 else _SHORT_ROWS_WITH_LINES)
    return [
        {"role": role, "content": _text(chance, each, words, lines=lines)}
        for role in ("system", "user", "assistant")
    ]


def _plain(chance: random.Random, size: int) -> Row:
    return {"messages": _chat(chance, size, _WORDS)}


def _unicode(chance: random.Random, size: int) -> Row:
    return {"messages": _chat(chance, size, _OTHER)}


def _tools(chance: random.Random, size: int) -> Row:
    system, user, answer = _chat(chance, max(60, size - 420), _WORDS)
    number = f"call_{chance.getrandbits(32):08x}"
    arguments = json.dumps({"order": str(chance.randrange(10**8))})
    call = {
        "id": number,
        "type": "function",
        "function": {"name": "find_order", "arguments": arguments},
    }
    asked = {"role": "assistant", "tool_calls": [call]}
    found = {"role": "tool", "tool_call_id": number, "content": '{"state": "sent"}'}
    return {"messages": [system, user, asked, found, answer], "tools": [_TOOL]}


def _image(chance: random.Random, size: int) -> Row:
    system, user, answer = _chat(chance, max(60, size - 90), _WORDS)
    url = f"https://example.com/{chance.getrandbits(64):016x}.png"
    user["content"] = [
        {"type": "text", "text": user["content"]},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return {"messages": [system, user, answer]}


def _break_role(row: Row) -> None:
    row["messages"][1]["role"] = "customer"


def _break_answer(row: Row) -> None:
    del row["messages"][-1]


def _break_content(row: Row) -> None:
    row["messages"][1]["content"] = 7


def _break_key(row: Row) -> None:
    row["messages"][0]["text"] = row["messages"][0].pop("content")


def _break_name(row: Row) -> None:
    row["messages"][1]["name"] = "Mr. Smith"


def _break_weight(row: Row) -> None:
    row["messages"][-1]["weight"] = float("nan")


def _break_message(row: Row) -> None:
    row["messages"][1] = row["messages"][1]["content"]


def _add_metadata(row: Row) -> None:
    row["metadata"] = {"source": "mail", "tags": ["parcel", "repair"]}


def _rename(row: Row) -> None:
    said = row.pop("messages")
    row["conversations"] = [{"from": one["role"], "value": one["content"]} for one in said]


def _to_completion(row: Row) -> None:
    _, asked, answer = row.pop("messages")
    row |= {"prompt": asked["content"], "completion": answer["content"]}


def _called(row: Row) -> Row:
    called: Row = row["messages"][2]["tool_calls"][0]
    return called


def _break_arguments(row: Row) -> None:
    function = _called(row)["function"]
    function["arguments"] = function["arguments"].replace('"', "'")


def _open_arguments(row: Row) -> None:
    _called(row)["function"]["arguments"] = {"order": "7"}


def _break_schema(row: Row) -> None:
    _called(row)["function"]["arguments"] = '{"number": 7}'


def _break_function(row: Row) -> None:
    _called(row)["function"]["name"] = "find_invoice"


def _break_tool(row: Row) -> None:
    row["tools"] = [{"type": "function", "function": {**_TOOL["function"], "name": "find order"}}]


def _break_id(row: Row) -> None:
    row["messages"][3]["tool_call_id"] = "call_0"


def _drop_result(row: Row) -> None:
    del row["messages"][3]


def _to_function(row: Row) -> None:
    asked, found = row["messages"][2:4]
    asked |= {"function_call": asked.pop("tool_calls")[0]["function"], "content": None}
    found |= {"role": "function", "name": "find_order"}
    del found["tool_call_id"]
    row["functions"] = [tool["function"] for tool in row.pop("tools")]


def _shown(row: Row) -> Row:
    shown: Row = row["messages"][1]["content"][1]
    return shown


def _break_url(row: Row) -> None:
    address = _shown(row)["image_url"]
    address["url"] = address["url"].replace("https", "http")


def _break_image(row: Row) -> None:
    _shown(row)["image_url"] = _shown(row)["image_url"]["url"]


def _cut(_: Row) -> None:
    """The line is cut when it is written."""


_Maker = Callable[[random.Random, int], Row]
_FAULTS: Sequence[tuple[_Maker, Callable[[Row], None]]] = (
    *itertools.product(
        [_plain],
        [_break_role, _break_answer, _break_content, _break_key, _break_name, _break_weight,
         _break_message, _add_metadata, _rename, _to_completion, _cut],
    ),
    *itertools.product(
        [_tools],
        [_break_arguments, _open_arguments, _break_schema, _break_function, _break_tool,
         _break_id, _drop_result, _to_function],
    ),
    *itertools.product([_image], [_break_url, _break_image]),
)  # fmt: skip


def made_rows(kind: str, size: int, seed: int = 7) -> Iterator[bytes]:
    """Yield rows of a kind as lines, without end."""
    chance = random.Random(seed)
    if kind == "bad":
        yield from _bad_rows(chance, size)
    makers: Sequence[_Maker] = [_plain] * 70 + [_unicode] * 15
    if kind == "mixed":
        makers = [*makers, *[_tools] * 10, *[_image] * 5]
    while True:
        yield _line(chance.choice(makers)(chance, size))


def _bad_rows(chance: random.Random, size: int) -> Iterator[bytes]:
    for make, damage in itertools.cycle(_FAULTS):
        row = make(chance, size)
        damage(row)
        yield _line(row)[:-3] + b"\n" if damage is _cut else _line(row)


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def write_file(file: Path, kind: str, size_bytes: int) -> int:
    """Write rows of one of `KINDS` until the file has `size_bytes`; return how many there are.

    64 MiB of rows are made; a larger file repeats them, each time with a number of its own in
    every row, so that no row stands twice.
    """
    name, _, row_bytes = kind.partition("-")
    made: list[bytes] = []
    size = 0
    for row in made_rows(name, int(row_bytes)):
        made.append(row)
        size += len(row)
        if size >= min(size_bytes, 64 * 2**20):
            break
    written, rows, turn = 0, 0, 0
    with file.open("wb") as out:
        while written < size_bytes:
            block = [_numbered(row, turn) for row in made]
            written += out.write(b"".join(block))
            rows += len(block)
            turn += 1
    return rows


def _numbered(row: bytes, turn: int) -> bytes:
    if not turn:
        return row
    at = max(row.find(b'"content": "') + 12, row.find(b'"value": "') + 10)
    if at < 12:
        at = row.index(b'"prompt": "') + 11
    return row[:at] + b"%d " % turn + row[at:]
