"""Files that every rig of these tests uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ftproviders.schema.hyperparameters import Method

ANSWERS: Mapping[str, str] = {
    "My kettle leaks from the lid": "kettle-leak",
    "Where is my parcel now": "parcel-where",
    "I want my money back": "refund",
}


def write_rows(path: Path, method: Method = Method.SUPERVISED) -> Path:
    """Write `ANSWERS` as training rows for `method`."""
    rows = []
    for question, answer in ANSWERS.items():
        asked = [{"role": "user", "content": question}]
        told = [{"role": "assistant", "content": answer}]
        row: dict[str, object] = {"messages": asked + told}
        if method is Method.DPO:
            worse = [{"role": "assistant", "content": "I do not know"}]
            row = {
                "input": {"messages": asked},
                "preferred_output": told,
                "non_preferred_output": worse,
            }
        rows.append(json.dumps(row) + "\n")
    path.write_text("".join(rows), encoding="utf-8")
    return path
