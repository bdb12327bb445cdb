"""What looking into the texts costs beside validation itself: secrets, tokens.

    python tests/benchmarks/bench_content.py [MEGABYTES]

Everything is measured in one run on the same generated rows, one process, in processor time; the
figures are the best of three.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ftproviders.data import validate
from ftproviders.data.secrets import find_secrets
from ftproviders.data.tokens import ChatTokenizer, count_file
from ftproviders.provider import DataProfile

WORDS = Path("tests/data/support_intents/train.jsonl").read_text(encoding="utf-8").split()
PROFILES = {"any": DataProfile()}


def write_rows(file: Path, *, row_bytes: int, size_bytes: int, links: bool) -> None:
    """Write rows of about `row_bytes`; with `links` each has a long address and a call's id."""
    chance = random.Random(1)
    words = [word.strip('"{}[]:,') for word in WORDS if word.isascii()]
    count = max(1, (row_bytes - 120) // 12)
    written = 0
    with file.open("w", encoding="utf-8") as out:
        while written < size_bytes:
            texts = [" ".join(chance.choices(words, k=count)) for _ in range(2)]
            if links:
                noise = "".join(chance.choices("abcdef0123456789", k=24))
                texts[0] += f" https://example.com/articles/how-to-descale/{noise} call_{noise}"
            messages = [
                {"role": "user", "content": texts[0]},
                {"role": "assistant", "content": texts[1]},
            ]
            written += out.write(json.dumps({"messages": messages}) + "\n")


def best(action: Callable[[], object]) -> float:
    """Return the least processor time of three runs, in seconds."""
    times = []
    for _ in range(3):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def find_all(pieces: Sequence[bytes]) -> int:
    """Return how many secrets are in pieces of a file."""
    return sum(len(find_secrets(piece)) for piece in pieces)


def main() -> None:
    """Print one line for each kind of row."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 16) * 2**20
    tokenizer = ChatTokenizer("o200k_base")
    print("MB/s                      validation   + secrets   secrets alone   tokens, all rows")
    with tempfile.TemporaryDirectory() as folder:
        for row_bytes in (300, 3000):
            for links in (False, True):
                file = Path(folder) / "rows.jsonl"
                write_rows(file, row_bytes=row_bytes, size_bytes=size, links=links)
                data, megabytes = file.read_bytes(), file.stat().st_size / 1e6
                pieces = [data[at : at + 2**18] for at in range(0, len(data), 2**18)]
                seconds = (
                    best(partial(validate, file, profiles=PROFILES, secrets="off", workers=1)),
                    best(partial(validate, file, profiles=PROFILES, workers=1)),
                    best(partial(find_all, pieces)),
                    best(partial(count_file, file, tokenizer, exact=True)),
                )
                speeds = "   ".join(f"{megabytes / s:11.0f}" for s in seconds)
                kind = f"rows of {row_bytes} B{', links' if links else ''}"
                print(f"{kind:22}{speeds}")


if __name__ == "__main__":
    main()
