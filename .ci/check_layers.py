"""Read pytest's JUnit file and fail when a layer of the tests did not really run.

    python .ci/check_layers.py .make/tests.xml

A layer is a folder of tests/. Each one in LAYERS must have tests that ran, and so must every
adapter of the contract suite; a skipped test must be one that ALLOWED_SKIPS expects.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

LAYERS = {
    # folder of tests/ -> what must be found in the names of tests that ran there
    "architecture": ("test_rules_hold", "test_planted_fault_is_caught"),
    "cli": (),
    "contract": (
        "test_memory",
        "test_local",
        "test_openai",
        "test_azure_hosting",
        "test_azure_openai",
        "test_azure_reap",
        "test_third_party",
        "test_planted_lies",
    ),
    "data_properties": ("test_engines_agree", "test_every_rule_was_hit", "test_every_branch"),
    "emulators": (
        "test_openai_emulator",
        "test_openai_faults",
        "test_openai_keys",
        "test_openai_spec",
        "test_azure_arm_emulator",
        "test_azure_arm_spec",
        "test_azure_openai_data_spec",
        "test_azure_openai_data_strict",
    ),
    "examples": ("README.md", "quickstart.md"),
    "local": ("test_training", "test_whole_way"),
    "runtime": ("test_exactly_once", "test_journal_processes"),
    "stateful": ("test_a_submission_has_one_job", "test_two_jobs_come_only"),
    "unit": (),
}
ALLOWED_SKIPS: tuple[re.Pattern[str], ...] = (
    # Differences between providers that the contract suite states, each with its reason.
    re.compile(r"^(notimpl|notyet|never): \S+"),
)


def main(report: str) -> int:
    """Print a table of the layers and return 1 when something was left out."""
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    problems = []
    for case in ET.parse(report).getroot().iter("testcase"):
        parts = case.get("classname", "").split(".")
        layer = parts[1] if parts[0] == "tests" and len(parts) > 1 else "?"
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if skip is None:
            ran[layer] += 1
            names.setdefault(layer, []).append(name)
            continue
        skipped[layer] += 1
        reason = skip.get("message") or "no reason"
        if not any(pattern.search(reason) for pattern in ALLOWED_SKIPS):
            problems.append(f"skipped: {name}: {reason}")
    for layer, wanted in LAYERS.items():
        if not ran[layer]:
            problems.append(f"layer {layer}: no test ran")
        problems += [
            f"layer {layer}: no test with {word!r} in its name ran"
            for word in wanted
            if not any(word in name for name in names.get(layer, []))
        ]
    folders = {path.parent.name for path in Path("tests").glob("*/test_*.py")}
    problems += [f"layer {name}: not in LAYERS of {__file__}" for name in folders - set(LAYERS)]
    for layer in sorted(ran | skipped):
        print(f"{layer:14} {ran[layer]:5} ran {skipped[layer]:5} skipped")
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
