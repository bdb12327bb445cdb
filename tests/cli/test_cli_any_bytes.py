"""Whatever the bytes are, the data verbs answer in a sentence: no traceback, no fault of ours."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.cli.program import Run, row

_GOOD = (row("q", "a") + "\n") * 3
_CALL = json.dumps({"messages": [{"role": "user", "content": "q"}, {
    "role": "assistant", "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[" * 3_000}}
    ]}]}) + "\n"  # fmt: skip
_PAIR = '{"prompt": "q", "chosen": "a", "rejected": "b"}\n'
SEEDS = {
    "deep lists": b"[" * 20_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"\n",
    "deep messages": b'{"messages":' + b"[" * 5_000 + b"]" * 5_000 + b"}\n",
    "deep arguments": _CALL.encode(),
    "long number": (_GOOD.replace("}]}", '}], "x": ' + "9" * 6_000 + "}") + _GOOD).encode(),
    "nul": _GOOD.encode().replace(b'"q"', b'"q\x00"') + b"\x00" * 50,
    "surrogates": _GOOD.replace('"q"', '"\\ud800"').encode(),
    "keys twice": _GOOD.replace('{"role"', '{"role": 1, "role"').encode(),
    "wide": _GOOD.encode("utf-16"),
    "latin": _GOOD.replace("q", "\u00e9").encode("latin-1"),
    "mark": b"\xef\xbb\xbf" * 2 + _GOOD.encode(),
    "pairs": _PAIR.encode() * 3,
    "array": f"[{_GOOD.strip().replace(chr(10), ',')}]".encode(),
    "table": b'prompt,completion\na,"b\n',
    "empty": b"",
    "blank": b"\n \r\n",
    "constants": _GOOD.replace('"q"', "NaN").encode(),
}


def _mutated(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(changed) + 1)
        changed[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    return bytes(changed)


COMMANDS = (
    ("validate", "FILE"),
    ("validate", "FILE", "--method", "dpo", "--all"),
    ("validate", "FILE", "--fix", "out.jsonl", "--overwrite"),
    ("data", "stats", "FILE"),
    ("data", "tokens", "FILE"),
    ("data", "convert", "FILE", "--out", "out.jsonl", "--overwrite", "--skip-bad"),
    ("data", "split", "FILE", "--validation", "1", "--overwrite"),
)


@pytest.mark.parametrize("name", SEEDS)
def test_any_bytes(run: Run, folder: Path, name: str) -> None:
    chance = random.Random(name)
    for content in (SEEDS[name], *(_mutated(SEEDS[name], chance) for _ in range(2))):
        file = folder / "any.jsonl"
        file.write_bytes(content)
        for command in COMMANDS:
            (folder / "out.jsonl").unlink(missing_ok=True)
            words = [file.name if word == "FILE" else word for word in command]
            result = run(*words, "--json")
            assert result.code in {0, 1, 2}, (words, result.err)  # 2: too few rows to split
            assert "Unexpected" not in result.err + result.out, (words, result.err)
            assert result.json["schema"].startswith("ftproviders.")
            assert file.read_bytes() == content
            assert not list(folder.glob(".*.part"))
