"""OpenAI's own API description, and Azure's, ready to hold requests and answers against them.

The description calls itself OpenAPI 3.1 and still uses words of 3.0 (``nullable``, a truth value as
``exclusiveMinimum``); they are rewritten to JSON Schema here. Where it lists the fields of an
object, requests may have no others.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, ValidationError

from ftproviders.testing.openai.record import RecordedRequest

FOLDER = Path(os.environ.get("FTPROVIDERS_SPECS") or Path(__file__).parents[1] / "data" / "specs")
"""Where the descriptions are; the copy in this repository unless the environment says otherwise."""

_NUMBERS = {"integer": int, "number": float}


@dataclass(frozen=True)
class Match:
    """What the description says about a request."""

    name: str
    operation: Mapping[str, Any]


class Description:
    """An API description.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.document = json.loads(path.read_bytes())
        (self.prefix,) = self.document["x-prefixes"]
        schemas = self.document["components"]["schemas"]
        # What is a part of a whole says nothing of the fields of the whole.
        parts = set(re.findall(r"/schemas/(\w+)", json.dumps(list(_all_of(schemas)))))
        self._components = {
            closed: {
                "schemas": {
                    name: _rewritten(schema, closed, inside_all=name in parts)
                    for name, schema in schemas.items()
                }
            }
            for closed in (False, True)
        }

    @property
    def operations(self) -> Mapping[str, tuple[str, str]]:
        """Name -> method and path."""
        return {
            operation["operationId"]: (method.upper(), path)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def operation(self, name: str) -> Mapping[str, Any]:
        """Return what stands under a name."""
        method, path = self.operations[name]
        return dict(self.document["paths"][path][method.lower()])

    def match(self, method: str, path: str) -> Match | None:
        """Find the operation of a request; templates without parameters come first."""
        for template in sorted(self.document["paths"], key=lambda text: text.count("{")):
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.prefix + template))
            found = self.document["paths"][template].get(method.lower())
            if found is not None and re.fullmatch(pattern, unquote(path)):
                # Resource Manager's descriptions have no names for operations.
                return Match(found.get("operationId", f"{method} {template}"), found)
        return None

    def request_problems(self, request: RecordedRequest) -> Iterator[str]:
        """Say how a request differs from what the description wants."""
        match = self.match(request.method, request.path)
        if match is None:
            yield "the description has no such request"
            return
        yield from self._query_problems(match.operation, request.query)
        contents = match.operation.get("requestBody", {}).get("content", {})
        if not contents:
            if request.body not in (None, {}) or request.parts:
                yield "it has a body, and the description none"
            return
        (content_type,) = contents
        sent = request.headers.get("content-type", "").split(";")[0]
        if sent != content_type:
            yield f"its body is {sent!r} instead of {content_type!r}"
            return
        schema = contents[content_type]["schema"]
        body = _form(request) if content_type.startswith("multipart") else request.body
        yield from self.problems(schema, body, closed=True)

    def answer_problems(self, name: str, answer: object) -> Iterator[str]:
        """Say how the JSON answer of an operation differs from what the description promises."""
        contents = self.operation(name)["responses"]["200"]["content"]
        yield from self.problems(contents["application/json"]["schema"], answer, closed=False)

    def problems(self, schema: Mapping[str, Any], value: object, *, closed: bool) -> Iterator[str]:
        """Hold a value against a schema of the description."""
        whole = {**_rewritten(schema, closed), "components": self._components[closed]}
        for error in Draft202012Validator(whole).iter_errors(value):
            yield _words(error)

    def _query_problems(
        self, operation: Mapping[str, Any], query: Sequence[tuple[str, str]]
    ) -> Iterator[str]:
        known = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == "query"}
        for name, parameter in known.items():
            if parameter.get("required") and name not in dict(query):
                yield f"query parameter {name!r} is missing"
        for name, text in query:
            plain = name.partition("[")[0]
            if plain not in known and operation.get("x-open-query"):
                continue
            if plain not in known or (plain != name) != ("style" in known[plain]):
                yield f"query parameter {name!r} is unknown"
                continue
            schema = known[plain]["schema"]
            value: object = {name: text} if plain != name else text
            if schema.get("type") in _NUMBERS:
                value = _NUMBERS[schema["type"]](text)
            for problem in self.problems(schema, value, closed=False):
                yield f"query parameter {name!r}: {problem}"


def _form(request: RecordedRequest) -> dict[str, Any]:
    """Return a form as the object that the description speaks of."""
    body: dict[str, Any] = {}
    for part in request.parts:
        outer, _, inner = part.name.partition("[")
        value: Any = "" if part.text is None else part.text
        if inner:
            value = int(value) if value.isdecimal() else value
            body.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            body[outer] = value
    return body


def _all_of(schema: Any) -> Iterator[Any]:
    """Yield the members of every ``allOf``."""
    inner = schema if isinstance(schema, list) else []
    if isinstance(schema, dict):
        yield from schema.get("allOf", ())
        inner = list(schema.values())
    for item in inner:
        yield from _all_of(item)


def _rewritten(schema: Any, closed: bool, *, inside_all: bool = False) -> Any:
    if isinstance(schema, list):
        return [_rewritten(item, closed) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: [_rewritten(item, closed, inside_all=True) for item in value]
        if name == "allOf"
        else _rewritten(value, closed)
        for name, value in schema.items()
        if name not in ("nullable", "default", "discriminator")
    }
    if made.get("exclusiveMinimum") is True:
        made["exclusiveMinimum"] = made.pop("minimum")
    for old, new in (("min_items", "minItems"), ("max_items", "maxItems")):
        if old in made:
            made[new] = made.pop(old)
    named = isinstance(made.get("properties"), dict) and "additionalProperties" not in made
    if closed and not inside_all and (named or "allOf" in made):
        made["unevaluatedProperties"] = False
    if schema.get("nullable") is True and set(schema) - {"nullable"}:
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _words(error: ValidationError) -> str:
    place = ".".join(str(piece) for piece in error.absolute_path)
    return f"{place or 'body'}: {error.message}"[:300]
