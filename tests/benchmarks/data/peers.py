"""Program: read a file as one peer does, and print what that took as JSON.

    python -m tests.benchmarks.data.peers PEER FILE

``seconds`` is wall time without imports, ``cpu_seconds`` the time that processors were busy with it
in this process, its threads and the processes it started. ``peak_mib`` is the most memory (VmHWM)
of this process, or of the largest process it started; those are asked while they run, since what
``getrusage`` says of them begins with the memory of whoever started them.
"""

from __future__ import annotations

import collections
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

Action = Callable[[], object]

_KEYS = ("role", "content", "name", "function_call", "weight")
_ROLES = ("system", "user", "assistant", "function")


def _ours(file: Path, **wishes: Any) -> Action:
    from ftproviders import registry
    from ftproviders.data import Wishes, look_at

    names = ("openai", "azure-openai", "local")
    profiles = {
        name: replace(registry.info(name).data_profile(None), maximum_row_tokens=_ROW_TOKENS)
        for name in names
    }

    def run() -> object:
        given = {"secrets": "off", "workers": 1, "count_tokens": _count_tokens, **wishes}
        report = look_at(file, Wishes(profiles=profiles, **given))
        return {"rows": report.rows, "verdicts": {n: v.ok for n, v in report.verdicts.items()}}

    return run


_ROW_TOKENS = 65_536
"""What most models take in a row; no row here has as many bytes."""


def _count_tokens(row: object) -> int:
    raise AssertionError(f"a row of the benchmark is longer than {_ROW_TOKENS} bytes: {row}")


def _cookbook(file: Path) -> Action:
    """Make the seven checks of the OpenAI cookbook's guide to data preparation, written anew."""

    def run() -> object:
        found: collections.Counter[str] = collections.Counter()
        with file.open("r", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                _check_row(row, found)
        return dict(found)

    return run


def _check_row(row: Any, found: collections.Counter[str]) -> None:
    if not isinstance(row, dict):
        found["data_type"] += 1
        return
    messages = row.get("messages")
    if not messages:
        found["missing_messages_list"] += 1
        return
    for message in messages:
        if "role" not in message or "content" not in message:
            found["message_missing_key"] += 1
        if any(key not in _KEYS for key in message):
            found["message_unrecognized_key"] += 1
        if message.get("role") not in _ROLES:
            found["unrecognized_role"] += 1
        content = message.get("content")
        if (not content and not message.get("function_call")) or not isinstance(content, str):
            found["missing_content"] += 1
    if not any(message.get("role") == "assistant" for message in messages):
        found["example_missing_assistant_message"] += 1


def _msgspec(file: Path) -> Action:
    """Decode each line into typed objects and look at nothing."""
    import msgspec

    parts = list[dict[str, Any]] | None
    message = msgspec.defstruct(
        "Message",
        [
            ("role", str),
            ("content", str | parts, None),
            ("tool_calls", parts, None),
            ("tool_call_id", str | None, None),
        ],
    )
    row = msgspec.defstruct("Row", [("messages", list[message]), ("tools", parts, None)])
    decode = msgspec.json.Decoder(row).decode

    def run() -> object:
        count = 0
        with file.open("rb") as lines:
            for line in lines:
                decode(line)
                count += 1
        return {"rows": count}

    return run


def _check_file(file: Path) -> Action:
    from together.lib.utils.files import check_file

    return lambda: {"ok": check_file(file).get("is_check_passed")}


def _datasets(file: Path) -> Action:
    import tempfile

    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()

    def run() -> object:
        with tempfile.TemporaryDirectory() as cache:
            found = load_dataset("json", data_files=str(file), split="train", cache_dir=cache)
            return {"rows": len(found)}

    return run


def _wc(file: Path) -> Action:
    return lambda: (
        subprocess.run(["wc", "-l", str(file)], check=True, capture_output=True)
        .stdout[:12]
        .decode()
    )


PEERS: dict[str, Callable[[Path], Action]] = {
    "ours": _ours,
    "ours, 2 workers": lambda file: _ours(file, workers=2),
    "ours, secrets": lambda file: _ours(file, secrets="warning"),
    "ours, with the digest": lambda file: _ours(file, digest=True),
    "cookbook checks": _cookbook,
    "together check_file": _check_file,
    "datasets": _datasets,
    "msgspec": _msgspec,
    "wc -l": _wc,
}


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak_mib(process: str) -> float:
    """Return the most memory that a process has had, in MiB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    kib = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kib[0]) / 1024 if kib else 0


class _Children(threading.Thread):
    """Asks the processes that were started for their memory, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.peak_mib = 0.0

    def run(self) -> None:
        while not self.done.wait(0.05):
            for listed in Path("/proc/self/task").glob("*/children"):
                with suppress(OSError):
                    peaks = [_peak_mib(child) for child in listed.read_text().split()]
                    self.peak_mib = max([self.peak_mib, *peaks])


def main() -> None:
    """Measure one peer."""
    action = PEERS[sys.argv[1]](Path(sys.argv[2]))
    children = _Children()
    children.start()
    cpu, start = _processor_seconds(), time.perf_counter()
    answer = action()
    seconds = time.perf_counter() - start
    result = {
        "seconds": seconds,
        "cpu_seconds": _processor_seconds() - cpu,
        "peak_mib": max(_peak_mib("self"), children.peak_mib),
        "answer": answer,
    }
    children.done.set()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
