"""Chat completions of the emulator: a tuned model answers with the nearest training example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftproviders.testing.memory import recall
from ftproviders.testing.openai.call import Answer, Call, Stream
from ftproviders.testing.openai.refusal import invalid, missing, unknown_parameter

__all__ = ["complete"]

_FIELDS = frozenset(
    {
        "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
        "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model",
        "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
        "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
        "verbosity", "web_search_options",
    }
)  # fmt: skip
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "max_tokens": (1, 1_000_000),
    "max_completion_tokens": (1, 1_000_000),
}


def complete(call: Call) -> Answer:
    """Answer a chat."""
    body = _checked(call.body)
    name = call.path.get("deployment_id", body["model"])
    tuned = call.service.served(call, name)
    learned = recall.rows((call.blobs / tuned["blob"]).read_bytes()) if tuned else ()
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    reply = recall.answer(learned, body["messages"], max_tokens=limit)
    usage = {
        "prompt_tokens": reply["prompt_tokens"],
        "completion_tokens": reply["completion_tokens"],
        "total_tokens": reply["prompt_tokens"] + reply["completion_tokens"],
    }
    head = {"id": call.new_id("chatcmpl-"), "created": int(call.now), "model": name}
    if body.get("stream"):
        return _stream(head, reply, usage, with_usage=_wants_usage(body))
    message = {"role": "assistant", "content": reply["text"], "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": reply["finish_reason"],
    }
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


def _wants_usage(body: Mapping[str, Any]) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _stream(
    head: Mapping[str, Any], reply: Mapping[str, Any], usage: object, *, with_usage: bool
) -> Stream:
    words = reply["text"].split(" ")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word if not place else f" {word}"} for place, word in enumerate(words)]
    common = {**head, "object": "chat.completion.chunk"}
    chunks = [
        {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": reply["finish_reason"]}
    chunks.append({**common, "choices": [last]})
    if with_usage:
        chunks.append({**common, "choices": [], "usage": usage})
    return Stream(chunks)


def _checked(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    for name in body:
        if name not in _FIELDS:
            raise unknown_parameter(name)
    for name in ("model", "messages"):
        if name not in body:
            raise missing(name)
    if not isinstance(body["model"], str):
        raise invalid("Invalid type for 'model': a string is expected.", param="model")
    _check_messages(body["messages"])
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (isinstance(value, (int, float)) and least <= value <= most):
            raise invalid(f"Invalid '{name}': it must be from {least} to {most}.", param=name)
    return body


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("'messages' must be a list with at least one message.", param="messages")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid(f"Invalid message at messages[{place}].", param=f"messages[{place}]")
