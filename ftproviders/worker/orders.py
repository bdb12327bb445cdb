"""What a client of a local server may ask for. Pure functions; standard library only.

The server of transformers ignores some fields of OpenAI's API, and takes values with which it then
fails. Here a request is refused in OpenAI's shape, with the name of the field, before it gets
there; what OpenAI leaves to a default gets one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["MAX_TOKENS", "PATHS", "Refused", "checked", "error_body"]

MAX_TOKENS = 256
"""Longest answer of a request that names no length: that of `ftproviders chat`."""

_Check = Callable[[Any], bool]


class Refused(Exception):  # noqa: N818 - a verdict about a request, not a failure of the server
    """A request that is not carried out.

    Args:
        message: What is wrong and what to send instead.
        param: The field.
        status: HTTP status.
        code: OpenAI's word for it.
    """

    def __init__(
        self, message: str, *, param: str | None = None, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.status, self.code = message, param, status, code


def error_body(
    message: str, *, status: int, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Return the body of an error as OpenAI writes it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    kind = "authentication_error" if status == 401 else kind
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def checked(path: str, body: object, *, model: str, tools: bool = True) -> dict[str, Any]:
    """Return a request as the server is to see it: with defaults, without what changes nothing.

    Args:
        path: One of `PATHS`.
        body: The request's JSON.
        model: The model's name for clients.
        tools: Whether the model's chat template writes the tools of a request.

    Raises:
        Refused: It cannot be carried out as it is.
    """
    if not isinstance(body, dict):
        raise Refused("The request must be a JSON object.")
    given = {name: value for name, value in body.items() if value is not None}
    if given.get("model", model) != model:
        raise Refused(
            f"There is no model {given['model']} here. Ask for {model}.",
            param="model",
            status=404,
            code="model_not_found",
        )
    fields, length = _FIELDS[path]
    if "max_completion_tokens" in given and path == _CHAT:
        given["max_tokens"] = given.pop("max_completion_tokens")
    kept = {name: value for name, value in given.items() if _counts(name, value, fields)}
    _required(path, kept)
    if kept.get("tools") and not tools:
        raise Refused(
            "The model's chat template does not write tools, so the model would not learn of "
            "them. Leave tools out, or describe them in a message.",
            param="tools",
            code="unsupported_parameter",
        )
    return {"stream": False, length: MAX_TOKENS, **kept}


def _counts(name: str, value: object, fields: Mapping[str, tuple[_Check, str]]) -> bool:
    """Say whether a field is for the server; one that changes nothing is not.

    Raises:
        Refused: It has no such value, or would have to be ignored.
    """
    if name in fields:
        check, meaning = fields[name]
        if not check(value):
            raise Refused(f"{name} must be {meaning}.", param=name, code="invalid_value")
        return True
    if name in _TOLD or (name in _NEUTRAL and _same(value, _NEUTRAL[name])):
        return False
    raise Refused(
        f"This server does not support {name}"
        + (f" other than {_NEUTRAL[name][0]!r}" if name in _NEUTRAL else "")
        + ". Leave it out.",
        param=name,
        code="unsupported_parameter",
    )


def _same(value: object, neutral: tuple[object, ...]) -> bool:
    # 1 == True in Python, not in JSON.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in neutral)


def _required(path: str, kept: Mapping[str, Any]) -> None:
    name = {_CHAT: "messages", _TEXT: "prompt", _RESPONSES: "input"}[path]
    if name not in kept:
        raise Refused(f"{name} is missing.", param=name, code="missing_required_parameter")
    if isinstance(kept[name], str):
        return
    for number, message in enumerate(kept[name]):
        problem = _message_problem(message, typed=path == _RESPONSES)
        if problem:
            where = f"{name}[{number}]"
            raise Refused(f"{where} {problem}", param=where, code="invalid_value")


def _message_problem(message: object, *, typed: bool) -> str | None:
    if not isinstance(message, dict):
        return "must be an object with role and content."
    if typed and message.get("type", "message") != "message":
        return None  # a tool's call or output, which has a form of its own
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        return f"must have a role: one of {', '.join(_ROLES)}."
    if content is None and role == "assistant" and message.get("tool_calls"):
        return None
    if isinstance(content, str):
        return None
    if not isinstance(content, list) or not content:
        return "must have content: a text."
    if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
        return "may have parts of type text only."
    return None


# --- what may be given ---------------------------------------------------------------------------


def _number(low: float, high: float) -> _Check:
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )


def _whole(low: int) -> _Check:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**63
    )


def _texts(value: object) -> bool:
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, list) and bool(value) and all(isinstance(t, str) and t for t in value)


def _filled(*kinds: type) -> _Check:
    return lambda value: isinstance(value, kinds) and bool(value)


def _of(kind: type) -> _Check:
    return lambda value: isinstance(value, kind)


def _biases(value: object) -> bool:
    number = _number(-100, 100)
    return isinstance(value, dict) and all(
        token.isascii() and token.isdecimal() and number(bias) for token, bias in value.items()
    )


def _for_template(value: object) -> bool:
    return isinstance(value, dict) and not _SERVERS_OWN & value.keys()


_SERVERS_OWN = frozenset(
    {
        "conversation",
        "tools",
        "chat_template",
        "add_generation_prompt",
        "continue_final_message",
        "tokenize",
        "padding",
        "truncation",
        "max_length",
        "return_tensors",
        "return_dict",
        "load_audio_from_video",
        "processor_kwargs",
        "tokenizer_kwargs",
        "return_assistant_tokens_mask",
    }
)
"""Arguments beside the template's variables, which are not a client's to set."""


_CHAT, _TEXT, _RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
_ROLES = ("system", "developer", "user", "assistant", "tool")
_LENGTH = (_whole(1), "a whole number of at least 1")
_EVERY: dict[str, tuple[_Check, str]] = {
    "model": (_of(str), "a text"),
    "stream": (_of(bool), "true or false"),
    "temperature": (_number(0, 2), "a number from 0 to 2"),
    "top_p": (_number(1e-6, 1), "a number above 0, at most 1"),
    "seed": (_whole(0), "a whole number of at least 0"),
}
_STOPPED: dict[str, tuple[_Check, str]] = {
    "max_tokens": _LENGTH,
    "stop": (_texts, "a text or a list of texts, none of them empty"),
    "frequency_penalty": (_number(0, 2), "a number from 0 to 2"),
}
_TOOLS = (_of(list), "a list")
_FIELDS: dict[str, tuple[dict[str, tuple[_Check, str]], str]] = {
    _CHAT: (
        _EVERY
        | _STOPPED
        | {
            "messages": (_filled(list), "a list of at least one message"),
            "tools": _TOOLS,
            "logit_bias": (_biases, "an object of token ids and numbers from -100 to 100"),
            "chat_template_kwargs": (_for_template, "an object of the template's own variables"),
        },
        "max_tokens",
    ),
    _TEXT: (
        _EVERY | _STOPPED | {"prompt": (_filled(str), "a text that is not empty")},
        "max_tokens",
    ),
    _RESPONSES: (
        _EVERY
        | {
            "input": (_filled(str, list), "a text or a list of messages, not empty"),
            "instructions": (_of(str), "a text"),
            "max_output_tokens": _LENGTH,
            "tools": _TOOLS,
        },
        "max_output_tokens",
    ),
}
PATHS = frozenset(_FIELDS)
"""Paths whose requests are checked."""

_TOLD = frozenset(
    {"user", "metadata", "stream_options", "safety_identifier", "prompt_cache_key", "service_tier"}
)
"""Fields that change no answer, so that nobody misses them."""

_NEUTRAL: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tool_choice": ("auto",),
    "parallel_tool_calls": (True,),
    "store": (False,),
    "background": (False,),
    "include": ([],),
    "text": ({"format": {"type": "text"}},),
    "truncation": ("disabled",),
}
"""Fields whose one supported value is what happens without them."""
