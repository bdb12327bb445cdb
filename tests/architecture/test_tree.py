"""Sizes, names and suppressions in the tree; nothing that belongs to one machine or person."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, package_files, tracked_text

MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 40
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "core", "misc", "base"}

SUPPRESSIONS = [
    # a suppression, and the reason that must follow it on its line or stand on the line above
    re.compile(r"#\s*type:\s*ignore(\[[\w,\s-]+\])?"),
    re.compile(r"#\s*pyright:\s*ignore(\[[\w,\s-]+\])?"),
    re.compile(r"#\s*noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?"),
    re.compile(r"#\s*pragma:\s*no cover"),
]
SECRETS_AND_PLACES = {
    "an OpenAI key": re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_]{24,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]"),
    "an AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "a folder of one machine": re.compile(
        r"(?<![\w./~-])/(?:home|root|work|workspace|Users|opt|mnt)/[\w.-]+"
    ),
    "an address of a package registry": re.compile(
        r"(?:pypi\.org|pythonhosted\.org|download\.pytorch\.org|registry\.npmjs\.org)",
        re.IGNORECASE,
    ),
}


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_is_too_long() -> None:
    lengths = {relative(f): len(f.read_text("utf-8").splitlines()) for f in package_files()}

    assert {name: n for name, n in lengths.items() if n > MAXIMUM_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = {
        f"{relative(file)}:{function.lineno} {function.name}": code_lines(function)
        for file in package_files()
        for function in functions(file)
        if code_lines(function) > MAXIMUM_FUNCTION_LINES
    }

    assert long == {}


def test_no_room_has_a_vague_name() -> None:
    names = {path for path in PACKAGE.rglob("*") if path.stem in VAGUE_NAMES}

    assert {relative(path) for path in names} == set()


def test_every_module_says_what_lives_there() -> None:
    silent = [f for f in package_files() if not ast.get_docstring(ast.parse(f.read_text("utf-8")))]

    assert [relative(file) for file in silent] == []


def has_reason(lines: list[str], index: int, match: re.Match[str]) -> bool:
    """Say whether words follow the suppression, or a comment stands on the line above it."""
    after = lines[index][match.end() :].strip(" #-:\t")
    above = lines[index - 1].strip() if index else ""
    return len(after.split()) >= 2 or (above.startswith("#") and len(above.split()) >= 3)


@pytest.mark.parametrize(
    ("text", "reasoned"),
    [
        ("x = 1  # noqa: E501", False),
        ("x = 1  # type: ignore[arg-type]", False),
        ("x = 1  # type: ignore[arg-type]  # the stub forgets None", True),
        ("# The SDK raises anything here.\nexcept Exception:  # noqa: BLE001", True),
    ],
)
def test_a_reason_is_told_from_none(text: str, reasoned: bool) -> None:
    lines = text.splitlines()
    match = next(m for pattern in SUPPRESSIONS if (m := pattern.search(lines[-1])))

    assert has_reason(lines, len(lines) - 1, match) is reasoned


def test_every_suppression_has_its_reason() -> None:
    bare = []
    for name, text in tracked_text():
        if not name.endswith(".py") or name == relative(Path(__file__)):
            continue
        lines = text.splitlines()
        bare += [
            f"{name}:{number + 1}: {line.strip()}"
            for number, line in enumerate(lines)
            for pattern in SUPPRESSIONS
            if (match := pattern.search(line)) and not has_reason(lines, number, match)
        ]

    assert bare == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("an OpenAI key", "OPENAI_API_KEY=sk-" + "a1B2" * 8),
        ("a Hugging Face token", "token: hf_" + "a1B2" * 9),
        ("a private key", "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE"),
        ("an AWS key", "AKIA" + "ABCD" * 4),
        ("a folder of one machine", "cd /" + "home/somebody/project"),
        ("an address of a package registry", "https://pypi" + ".org/simple"),
    ],
)
def test_secrets_and_places_are_recognised(what: str, text: str) -> None:
    assert SECRETS_AND_PLACES[what].search(text)


def test_no_secret_and_no_place_of_one_machine_is_tracked() -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group(0)[:30]}"
        for name, text in tracked_text()
        if name != relative(Path(__file__))
        for what, pattern in SECRETS_AND_PLACES.items()
        for match in pattern.finditer(text)
    ]

    assert found == []
