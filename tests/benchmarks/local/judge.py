"""The one evaluator: mean loss per assistant token of adapters on held-out rows.

``python -m tests.benchmarks.local.judge FILE.json``, with ``model``, ``template``, ``rows``,
``dtype`` and ``adapters``; prints a JSON list in the order of the adapters, before it the loss of
the base model alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from peft import PeftModel

from ftproviders.worker.encoding import encode_file
from ftproviders.worker.loading import choose_dtype, load_model, load_tokenizer, quiet
from ftproviders.worker.trainer import mean_loss


def main() -> None:
    """Judge."""
    quiet()
    case = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, dtype = Path(case["model"]), choose_dtype(case["dtype"])
    template = Path(case["template"]).read_text(encoding="utf-8")
    tokenizer = load_tokenizer(folder, template)
    rows = encode_file(Path(case["rows"]), tokenizer, max_length=2048, name="held-out").rows
    losses = []
    for adapter in (None, *case["adapters"]):
        model = load_model(folder, dtype=dtype, attention="sdpa")
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False)
        losses.append(mean_loss(model, rows, batch_size=10, pad_id=tokenizer.pad_token_id))
    print(json.dumps(losses))


if __name__ == "__main__":
    main()
