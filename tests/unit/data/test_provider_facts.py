"""What is documented of single providers, held against rows and files: not against our own table.

Each case stands for a line of the vendors' pages; the table of rules names them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftproviders import registry
from ftproviders.data import validate
from ftproviders.data.engine import ExactEngine
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Severity, ValidationReport
from ftproviders.schema.hyperparameters import Method
from tests.unit.data.data_cases import ANSWER, GOOD, USER, assistant, image, row
from tests.unit.data.method_cases import GOOD_ROWS, WORSE, pair, seeing

ALL = (
    "openai", "azure-openai", "azureml-serverless", "azureml-managed", "autotrain", "hf-jobs",
    "local", "memory",
)  # fmt: skip
OPENAI_AND_AZURE = ("openai", "azure-openai")
COLUMNS = f'{{"prompt": [{USER}], "chosen": [{ANSWER}], "rejected": [{WORSE}]}}'
BLIND = ("azureml-serverless", "azureml-managed", "autotrain", "hf-jobs", "local")


def looked_at(
    folder: Path, *rows: str, method: Method = Method.SUPERVISED, model: str | None = None,
    has_validation_file: bool = True,
) -> ValidationReport:  # fmt: skip
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{one}\n" for one in rows), encoding="utf-8")
    profiles = {name: registry.info(name).data_profile(model) for name in ALL}
    return validate(
        file, profiles=profiles, method=method, has_validation_file=has_validation_file
    )[1]


def refusing(report: ValidationReport, rule: str) -> tuple[str, ...]:
    return tuple(name for name in ALL if rule in report.verdicts[name].reasons)


def warning(folder: Path, *rows: str) -> tuple[str, ...]:
    """Return who warns of ten good rows and these."""
    report = looked_at(folder, *[GOOD] * 10, *rows)
    return tuple(name for name in ALL if report.verdicts[name].warnings)


def test_ten_rows_are_the_least_at_openai_and_azure(tmp_path: Path) -> None:
    assert refusing(looked_at(tmp_path, *[GOOD] * 9), "file.rows") == OPENAI_AND_AZURE
    assert refusing(looked_at(tmp_path, *[GOOD] * 10), "file.rows") == ()
    for method in (Method.DPO, Method.REINFORCEMENT):
        rows = [GOOD_ROWS[method]] * 9
        assert set(OPENAI_AND_AZURE) <= set(
            refusing(looked_at(tmp_path, *rows, method=method), "file.rows")
        )
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{GOOD}\n", encoding="utf-8")
    profiles = {name: registry.info(name).data_profile() for name in ALL}
    verdicts = validate(file, profiles=profiles, purpose="validation")[1].verdicts
    assert all(verdicts[name].ok for name in ALL), "a validation file may have fewer"


def test_only_azure_has_refused_two_answers_in_a_row(tmp_path: Path) -> None:
    assert warning(tmp_path, row(USER, ANSWER, ANSWER)) == ("azure-openai",)


def test_nobody_refuses_a_byte_order_mark_and_azure_documents_it(tmp_path: Path) -> None:
    report = looked_at(tmp_path, "\ufeff" + GOOD, *[GOOD] * 9)
    assert all(report.verdicts[name].ok for name in ALL)
    (issue,) = report.issues
    assert (issue.rule, issue.severity) == ("file.bom", Severity.WARNING)
    assert "azure-openai" not in issue.providers
    assert "openai" in issue.providers


@pytest.mark.parametrize(
    ("images", "who"),
    [(10, ()), (11, ("openai",)), (64, ("openai",)), (65, OPENAI_AND_AZURE)],
)
def test_images_of_a_row(images: int, who: tuple[str, ...], tmp_path: Path) -> None:
    report = looked_at(tmp_path, row(seeing(images), ANSWER))
    assert refusing(report, "image.count") == who
    assert refusing(report, "file.images") == BLIND


@pytest.mark.parametrize(
    ("model", "blind"),
    [
        ("gpt-4o-2024-08-06", False),
        ("gpt-4o-mini", True),
        ("gpt-4.1", False),
        ("gpt-4.1-nano", True),
    ],
)
def test_models_with_eyes_at_azure(model: str, blind: bool, tmp_path: Path) -> None:
    report = looked_at(tmp_path, row(seeing(1), ANSWER), model=model)
    assert ("azure-openai" in refusing(report, "file.images")) is blind


def test_sizes_of_files() -> None:
    limits = {
        name: (profile.maximum_bytes, profile.maximum_plain_bytes)
        for name in OPENAI_AND_AZURE
        if (profile := registry.info(name).data_profile())
    }
    assert limits == {
        "openai": (8 * 1024**3, 512 * 1024**2),
        "azure-openai": (512 * 1024**2, 150_000_000),
    }
    assert registry.info("azure-openai").data_profile("gpt-4o-mini").maximum_row_tokens == 65_536
    assert registry.info("azure-openai").data_profile().maximum_image_rows == 50_000
    assert registry.info("openai").data_profile().maximum_image_rows == 50_000


def test_who_needs_a_validation_file(tmp_path: Path) -> None:
    alone = looked_at(tmp_path, *[GOOD] * 10, has_validation_file=False)
    assert refusing(alone, "file.validation") == ("azureml-serverless",)
    graded = looked_at(
        tmp_path, *[GOOD_ROWS[Method.REINFORCEMENT]] * 10, method=Method.REINFORCEMENT,
        has_validation_file=False,
    )  # fmt: skip
    assert refusing(graded, "file.validation") == OPENAI_AND_AZURE


@pytest.mark.parametrize(
    ("method", "line", "who"),
    [
        (Method.SUPERVISED, GOOD, ALL),
        (Method.SUPERVISED, '{"prompt": "a", "completion": "b"}',
         ("azureml-serverless", "azureml-managed", "hf-jobs")),
        (Method.SUPERVISED, '{"text": "a"}', ("autotrain", "hf-jobs")),
        (Method.SUPERVISED, '{"instruction": "a", "output": "b"}', ()),
        (Method.DPO, pair(), ("openai", "azure-openai", "local", "memory")),
        (Method.DPO, COLUMNS, ("autotrain", "hf-jobs", "local")),
        (Method.REINFORCEMENT, GOOD_ROWS[Method.REINFORCEMENT], ("openai", "azure-openai")),
    ],
)  # fmt: skip
def test_shapes_and_methods_that_are_taken(
    method: Method, line: str, who: tuple[str, ...], tmp_path: Path
) -> None:
    verdicts = looked_at(tmp_path, *[line] * 10, method=method).verdicts
    taken = tuple(name for name in ALL if verdicts[name].ok)
    if method is Method.REINFORCEMENT:  # the memory provider tunes with every method
        taken = tuple(name for name in taken if name != "memory")
    assert taken == who


_TOKENS = (
    "<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
    "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|startoftext|>", "<|start|>", "<|end|>",
    "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>",
)  # fmt: skip


@pytest.mark.parametrize("token", _TOKENS)
def test_control_tokens_are_refused_wherever_they_stand(token: str, tmp_path: Path) -> None:
    parts = json.dumps([{"type": "text", "text": f"a{token}"}])
    tool = '{"type": "function", "function": {"name": "f", "description": %s}}'
    call = '{"id": "c", "type": "function", "function": {"name": "f", "arguments": %s}}'
    rows = [
        row(f'{{"role": "user", "content": "a{token}"}}', ANSWER),
        row(USER, assistant(f'"content": "{token} b"')),
        row(f'{{"role": "user", "content": {parts}}}', ANSWER),
        row(
            USER,
            assistant(f'"content": null, "tool_calls": [{call % json.dumps(json.dumps(token))}]'),
        ),
        row(USER, ANSWER, extra=f', "tools": [{tool % json.dumps("a " + token)}]'),
        row(USER, assistant('"content": "' + token.replace("<", "\\u003c") + '"')),
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{one}\n" for one in rows), encoding="utf-8")
    for engine in (None, ExactEngine()):
        report = validate(file, profiles={"one": DataProfile()}, engine=engine)[1]
        assert [(i.line, i.rule) for i in report.issues] == [
            (line, "message.special_token") for line in range(1, 7)
        ]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("https://example.com/a.webp", None),
        ("http://example.com/a.png", "image.url"),
        ("ftp://example.com/a.png", "image.url"),
        ("/tmp/a.png", "image.url"),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", "image.url"),
        ("data:image/bmp;base64,Qk0=", "image.url"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "image.url"),
        ("data:image/png,raw", "image.url"),
        ("data:image/png;base64,R0lGODlhAQABAAAAACw=", "image.format"),
    ],
)
def test_addresses_and_formats_of_images(url: str, rule: str | None, tmp_path: Path) -> None:
    report = looked_at(tmp_path, *[GOOD] * 10, image(f'"url": "{url}"'))
    for name in OPENAI_AND_AZURE:
        assert report.verdicts[name].reasons == (() if rule is None else (rule,))
