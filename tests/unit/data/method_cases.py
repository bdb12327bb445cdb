"""Cases for the rules of single methods, row shapes and images; see ``data_cases``."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

from ftproviders.data.rule import MAX_IMAGE_BYTES
from ftproviders.provider import DataProfile
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, MARK, USER, assistant, image, row

OPENAI = DataProfile()
TRL = DataProfile(
    row_shapes=frozenset({"messages", "text", "prompt-completion", "chosen-rejected"})
)
WORSE = assistant('"content": "Nah"')


@dataclass(frozen=True)
class MethodCase:
    """A row that breaks one rule for one method, and a row that is just inside it."""

    broken: str
    path: str
    inside: str
    method: Method = Method.DPO
    profile: DataProfile = OPENAI

    @property
    def row(self) -> str:
        return self.broken.replace(MARK, "")

    @property
    def column(self) -> int:
        return self.broken.index(MARK) + 1


def pair(messages: str = USER, better: str = ANSWER, worse: str = WORSE, *, extra: str = "") -> str:
    return (
        f'{{"input": {{"messages": [{messages}]{extra}}}, "preferred_output": [{better}], '
        f'"non_preferred_output": [{worse}]}}'
    )


def graded(*messages: str, extra: str = ', "answer": "4"') -> str:
    return row(*messages, extra=extra)


def png(color: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IHDR", 1, 1, 8, color)
    return base64.b64encode(head + bytes(10)).decode()


def jpeg(components: int) -> str:
    frame = struct.pack(">HHBHHB", 0xFFC0, 17, 8, 1, 1, components)
    return base64.b64encode(b"\xff\xd8\xff\xe0\x00\x04ab" + frame + bytes(12)).decode()


def sized(size: int) -> str:
    """Return the text of a PNG of `size` bytes."""
    return base64.b64encode(base64.b64decode(png(2)).ljust(size, b"\0")).decode()


SEEN = '{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}'


def seeing(count: int) -> str:
    return f'{{"role": "user", "content": [{", ".join([SEEN] * count)}]}}'


SUPERVISED = {"method": Method.SUPERVISED}
GOOD_ROWS = {
    Method.DPO: pair(better='{"role": "assistant", "content": "good row"}'),
    Method.REINFORCEMENT: graded('{"role": "user", "content": "good row"}'),
    Method.SUPERVISED: row('{"role": "user", "content": "good row"}', ANSWER),
}

METHOD_CASES: dict[str, MethodCase] = {
    "pair.shape": MethodCase(
        '¤{"prompt": "p", "chosen": "a", "rejected": "b"}', "", pair(better=ANSWER + " ")
    ),
    "pair.input": MethodCase(
        pair().replace(f"[{USER}]", "¤[]"), "input.messages", pair(USER + ", " + USER)
    ),
    "pair.input_end": MethodCase(
        pair(f"{USER}, {MARK}{ANSWER}"), "input.messages[1]", pair(f"{USER}, {ANSWER}, {USER}")
    ),
    "pair.output": MethodCase(
        pair(better=f'{ANSWER}, {{"role": ¤"user", "content": "x"}}'),
        "preferred_output[1].role",
        pair(better=" " + ANSWER),
    ),
    "pair.no_assistant": MethodCase(
        '{"input": {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", '
        '"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '
        '"{}"}}]}]}, "preferred_output": ¤[{"role": "tool", "tool_call_id": "c", "content": "1"}], '
        '"non_preferred_output": [{"role": "tool", "tool_call_id": "c", "content": "2"}, '
        '{"role": "assistant", "content": "x"}]}',
        "preferred_output",
        pair(),
    ),
    "pair.several_assistants": MethodCase(
        pair(better=f"{ANSWER}, {MARK}{WORSE}"), "preferred_output[1]", pair(worse=WORSE + "\t")
    ),
    "pair.identical": MethodCase(
        pair(worse=ANSWER).replace('"non_preferred_output": ', '"non_preferred_output": ¤'),
        "non_preferred_output",
        pair(worse=ANSWER.replace("Yo", "yo")),
    ),
    "pair.columns": MethodCase(
        '{"prompt": "p", "chosen": "a", "rejected": ¤[]}',
        "rejected",
        f'{{"prompt": [{USER}], "chosen": [{ANSWER}], "rejected": [{WORSE}]}}',
        profile=TRL,
    ),
    "image.in_pair": MethodCase(
        pair(seeing(1)).replace('"messages": ', '"messages": ¤'), "input.messages", pair()
    ),
    "grader.last_message": MethodCase(
        graded(USER, MARK + ANSWER), "messages[1]", graded(USER, ANSWER, USER),
        Method.REINFORCEMENT,
    ),
    "grader.reference": MethodCase(
        MARK + row(USER), "", row(USER, extra=', "x": null'), Method.REINFORCEMENT
    ),
    "completion.fields": MethodCase(
        '{"prompt": "a", "completion": ¤5}', "completion", '{"prompt": "", "completion": "b"}',
        profile=TRL, **SUPERVISED,
    ),
    "completion.empty": MethodCase(
        '{"prompt": "a", "completion": ¤" "}', "completion", '{"prompt": "a", "completion": "."}',
        profile=TRL, **SUPERVISED,
    ),
    "text.field": MethodCase(
        '{"text": ¤" "}', "text", '{"text": "a"}', profile=TRL, **SUPERVISED
    ),
    "image.format": MethodCase(
        image(f'"url": ¤"data:image/jpeg;base64,{png(2)}"'),
        "messages[0].content[0].image_url.url",
        image(f'"url": "data:image/jpeg;base64,{jpeg(3)}"'),
        **SUPERVISED,
    ),
    "image.color": MethodCase(
        image(f'"url": ¤"data:image/jpeg;base64,{jpeg(4)}"'),
        "messages[0].content[0].image_url.url",
        image(f'"url": "data:image/png;base64,{png(6)}"'),
        **SUPERVISED,
    ),
    "image.bytes": MethodCase(
        image(f'"url": ¤"data:image/png;base64,{sized(MAX_IMAGE_BYTES + 1)}"'),
        "messages[0].content[0].image_url.url",
        image(f'"url": "data:image/png;base64,{sized(MAX_IMAGE_BYTES)}"'),
        **SUPERVISED,
    ),
    "image.count": MethodCase(
        row(seeing(12), ANSWER).replace('"messages": ', '"messages": ¤'),
        "messages",
        row(seeing(11), ANSWER),
        profile=DataProfile(maximum_row_images=11),
        **SUPERVISED,
    ),
}  # fmt: skip
"""Rule id -> rows."""
