"""Program: answer chats with one model until standard input ends.

Started as ``python -m ftproviders.worker.chat JSON``, where JSON is ``{"model", "kind", "cache",
"client"}``, kind is ``adapter`` or ``base`` and client the number of the process that asks, which
this one does not outlive. The first line out is ``{"ready": true}`` or ``{"error":
...}``. Then each line in, ``{"messages", "temperature", "max_tokens"}``, gets one line out.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from ftproviders.worker import process
from ftproviders.worker.failures import explain

__all__ = ["main"]


def main() -> int:
    """Serve one model; returns the exit code."""
    request = json.loads(sys.argv[1])
    # The end of standard input is not seen before the model is loaded, nor while it answers.
    process.watch_parent(request["client"])
    answers = _own_output()
    try:
        from ftproviders.worker.answering import Answerer

        answerer = Answerer(request["model"], kind=request["kind"], cache=Path(request["cache"]))
    # Whatever keeps the model from loading is told to the one who asks.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        _say(answers, {"error": explain(error, {}).message})
        return 1
    _say(answers, {"ready": True})
    for line in sys.stdin:
        _say(answers, _answer(answerer, json.loads(line)))
    return 0


def _answer(answerer: Any, question: dict[str, Any]) -> dict[str, Any]:
    try:
        reply: dict[str, Any] = answerer.answer(**question)
    # One bad question must not end the process that keeps the model warm.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        return {"error": explain(error, {}).message}
    return reply


def _own_output() -> TextIO:
    """Keep standard output for answers; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content, ensure_ascii=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
