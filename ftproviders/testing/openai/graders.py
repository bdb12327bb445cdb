"""Graders of the emulator: all are held to their rules, those that compare strings also run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from ftproviders.testing.openai.bodies import GraderOnly, RunGrader, parse
from ftproviders.testing.openai.call import Call
from ftproviders.testing.openai.refusal import invalid

__all__ = ["run", "validate"]

_TEMPLATE = re.compile(r"\{\{\s*(sample|item)\.([\w.]+)\s*\}\}")
_NO_ERRORS: Mapping[str, bool | None] = {
    "formula_parse_error": False,
    "sample_parse_error": False,
    "truncated_observation_error": False,
    "unresponsive_reward_error": False,
    "invalid_variable_error": False,
    "other_error": False,
    "python_grader_server_error": False,
    "python_grader_server_error_type": None,
    "python_grader_runtime_error": False,
    "python_grader_runtime_error_details": None,
    "model_grader_server_error": False,
    "model_grader_refusal_error": False,
    "model_grader_parse_error": False,
    "model_grader_server_error_details": None,
}


def validate(call: Call) -> dict[str, Any]:
    """Say that a grader is well formed."""
    return {"grader": parse(GraderOnly, call.body).grader}


def run(call: Call) -> dict[str, Any]:
    """Grade one sample."""
    asked = parse(RunGrader, call.body)
    grader = asked.grader
    values = {"item": asked.item or {}, "sample": _sample(asked.model_sample)}
    unknown = False
    try:
        reward = _score(grader, values)
    except KeyError:
        reward, unknown = 0.0, True
    return {
        "reward": reward,
        "metadata": {
            "name": grader["name"],
            "type": grader["type"],
            "errors": {**_NO_ERRORS, "invalid_variable_error": unknown},
            "execution_time": 0.0,
            "scores": {grader["name"]: reward},
            "token_usage": None,
            "sampled_model_name": None,
        },
        "sub_rewards": {},
        "model_grader_token_usage_per_model": {},
    }


def _sample(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    return {"output_text": text, "output_json": parsed}


def _score(grader: Mapping[str, Any], values: Mapping[str, Any]) -> float:
    if grader["type"] not in ("string_check", "text_similarity"):
        raise invalid(
            f"This emulator checks graders of type '{grader['type']}' but cannot run them.",
            param="grader.type",
            code="not_emulated",
        )
    text, reference = _fill(grader["input"], values), _fill(grader["reference"], values)
    if grader["type"] == "text_similarity":
        if grader["evaluation_metric"] != "fuzzy_match":
            raise invalid(
                "This emulator runs text_similarity with metric 'fuzzy_match' only.",
                param="grader.evaluation_metric",
                code="not_emulated",
            )
        return round(SequenceMatcher(None, text, reference).ratio(), 4)
    holds = {
        "eq": text == reference,
        "ne": text != reference,
        "like": reference in text,
        "ilike": reference.lower() in text.lower(),
    }
    return float(holds[grader["operation"]])


def _fill(template: str, values: Mapping[str, Any]) -> str:
    def look_up(found: re.Match[str]) -> str:
        value: Any = values[found.group(1)]
        for name in found.group(2).split("."):
            if not isinstance(value, dict):
                raise KeyError(name)
            value = value[name]
        return value if isinstance(value, str) else json.dumps(value)

    return _TEMPLATE.sub(look_up, template)
