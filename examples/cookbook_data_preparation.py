"""The OpenAI cookbook's chat data preparation, one line a question; the numbers are the same.

    pip install 'ftproviders[tokens]'
    python examples/cookbook_data_preparation.py

The notebook is of 2023: its model was gpt-3.5-turbo, whose rows were cut at 4,096 tokens. It finds
no format error in the five rows; neither do we, but we say that the service wants ten of them.
What it labels p5 and p95 are the quantiles 0.1 and 0.9.
"""

from __future__ import annotations

from pathlib import Path

import ftproviders as ft
from ftproviders.data.tokens import ChatTokenizer, count_file, default_epochs, encoding_of

DATA = Path(__file__).parent / "data" / "openai_cookbook" / "toy_chat_fine_tuning.jsonl"
SPREAD = (
    "min {0.minimum}, max {0.maximum}, mean {0.mean:.5g}, median {0.median:.5g}, "
    "q10 {0.q10:.5g}, q90 {0.q90:.5g}"
)
MODEL, LIMIT = "gpt-3.5-turbo", 4096

report = ft.validate(DATA, providers=["openai"])
tokens = count_file(DATA, ChatTokenizer(encoding_of(MODEL) or ""), exact=True, limit=LIMIT)
rows = report.statistics

print("format errors:", sum(issue.severity == "error" for issue in report.issues if issue.line))
print("the file itself:", *[issue.message for issue in report.issues if not issue.line])
print("rows without system:", rows.rows_without_system)
print("rows without user:", rows.rows_without_user)
print("messages a row:", SPREAD.format(rows.messages_per_row))
print("tokens a row:", SPREAD.format(tokens.per_row))
print("tokens of the assistant a row:", SPREAD.format(tokens.assistant_per_row))
print(f"rows over {LIMIT} tokens:", tokens.rows_over_limit)
print("tokens to pay for in one epoch:", tokens.billable)
print("epochs by default:", default_epochs(report.rows))
print("tokens to pay for in all:", (tokens.billable or 0) * default_epochs(report.rows))
