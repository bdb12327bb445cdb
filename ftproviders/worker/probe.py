"""A fixed conversation whose token ids prove that two programs use the same chat template.

It is rendered and tokenised where a model is trained, and stored beside the model; a server that
makes other ids of it would ask the model in a form that it never learnt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ftproviders.worker.failures import WorkError

__all__ = ["PROBE_FILE", "difference", "make_probe"]

PROBE_FILE = "probe.json"
"""File beside an adapter or model that holds its probe."""

_SYSTEM = {"role": "system", "content": "You are a careful assistant."}
_TURNS = (
    {"role": "user", "content": "Is the kettle (no. 12) safe?\nIt leaks  a little."},
    {"role": "assistant", "content": 'Unplug it; a "leak" is never safe.'},
    {"role": "user", "content": "Merci! And the naïve toaster: 3 for 7 €?"},
)
# Not every template takes a system message, or more than one turn.
_CONVERSATIONS: Sequence[Sequence[Mapping[str, str]]] = (
    (_SYSTEM, *_TURNS),
    _TURNS,
    (_SYSTEM, _TURNS[0]),
    _TURNS[:1],
)
_SHOWN_TOKENS = 12


def make_probe(tokenizer: Any) -> dict[str, Any]:
    """Render and tokenise the probe conversation as rows of training data are.

    Args:
        tokenizer: A tokenizer with a chat template.

    Returns:
        ``messages``, ``text``, ``ids``, ``template_sha256``, and ``dated``: true when the template
        writes the current date, so that the ids are good for a day only.

    Raises:
        WorkError: The template refuses every form of the conversation.
    """
    template = str(tokenizer.chat_template)
    refusal: Exception | None = None
    for conversation in _CONVERSATIONS:
        messages = [dict(message) for message in conversation]
        try:
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        # Templates are programs of the model's maker: jinja raises whatever they raise.
        except Exception as error:  # noqa: BLE001
            refusal = refusal or error
            continue
        return {
            "messages": messages,
            "text": text,
            "ids": [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]],
            "template_sha256": hashlib.sha256(template.encode()).hexdigest(),
            "dated": "strftime_now" in template,
        }
    raise WorkError(
        f"The chat template refuses a question of the user alone: {refusal}. Give another template "
        "(option chat_template).",
        code="chat_template",
    ) from refusal


def difference(expected: Mapping[str, Any], ids: Sequence[int], text: str) -> str | None:
    """Say how a server's reading of the probe differs from the trained one, or None.

    Args:
        expected: What `make_probe` returned.
        ids: Token ids that reached the model.
        text: The same as text.
    """
    trained = [int(number) for number in expected["ids"]]
    served = [int(number) for number in ids]
    if trained == served:
        return None
    pairs = zip(trained, served, strict=False)
    same = next((i for i, (ours, theirs) in enumerate(pairs) if ours != theirs), None)
    first = min(len(trained), len(served)) if same is None else same
    window = slice(max(0, first - 2), first + _SHOWN_TOKENS)
    return (
        "The server does not write conversations the way the model was trained: token ids differ "
        f"from position {first} on. Trained ({len(trained)} ids, from {window.start}): "
        f"{trained[window]}; served ({len(served)} ids): {served[window]}. "
        f"Trained text: {expected['text']!r}; served text: {text!r}."
    )
