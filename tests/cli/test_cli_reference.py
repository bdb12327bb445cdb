"""The list of verbs, their flags, and the page that is generated from them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from ftproviders.cli import reference
from ftproviders.cli.main import app
from tests.cli.program import ROOT

SPEC_FLAGS = (
    "--from --provider --model --training-file --validation-file --method --epochs --batch-size "
    "--learning-rate --learning-rate-multiplier --lora-r --lora-alpha --lora-dropout --seed "
    "--suffix --max-cost --strict -o"
)
VERBS = {
    "demo": "--epochs",
    "validate": "--validation-file --validation --provider --all --method --model --max-issues "
    "--exact-tokens --secrets --workers --fix --overwrite",
    "data stats": "--method --workers",
    "data tokens": "--method --model --exact-tokens --limit",
    "data convert": "--out --columns --system --user-template --assistant-template "
    "--system-template --keep --from --to --encoding --no-header --skip-bad --overwrite",
    "data split": "--validation --test --seed --group-by --out-folder --overwrite",
    "plan": SPEC_FLAGS,
    "submit": f"{SPEC_FLAGS} --again --wait --timeout",
    "jobs": "--remote",
    "status": "",
    "watch": "",
    "events": "--follow",
    "metrics": "--csv --plot",
    "report": "--output --questions --rows --max-tokens --overwrite",
    "model": "",
    "export": "--to --format --checkpoint --weights",
    "checkpoints": "",
    "cancel": "",
    "pause": "",
    "resume": "",
    "adopt": "",
    "reconcile": "--adopt --assume-absent",
    "deploy": "--provider --name --ttl --checkpoint -o --wait",
    "deployments": "--reap --all-owners",
    "undeploy": "",
    "extend": "--ttl",
    "chat": "--stream --system --temperature --max-tokens --checkpoint",
    "files": "--provider --delete-unused",
    "providers": "",
    "models": "--provider --delete",
    "methods": "--measure --model --steps --batch-size",
    "doctor": "",
}
COMMON = {"--json", "--yes", "--quiet", "--debug", "--profile"}


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(reference.verbs(group))


def test_the_verbs_are_those_of_the_plan() -> None:
    assert set(commands()) == set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_its_flags_and_the_common_ones(name: str) -> None:
    flags = {
        flag
        for parameter in commands()[name].params
        if parameter.param_type_name == "option"
        for flag in parameter.opts
    }
    assert flags - {"-h", "--help"} == COMMON | set(VERBS[name].split())


def test_the_page_fits_the_commands() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    hint = "run: python -m ftproviders.cli.reference docs/cli.md"
    assert reference.updated(page) == page, hint


def test_the_script_checks_and_rewrites(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "cli.md"
    page.write_text(
        f"before\n{reference.BEGIN}\nan earlier list\n{reference.END}\nafter\n", encoding="utf-8"
    )
    assert reference.main(["--check", str(page)]) == 1
    assert "does not fit" in capsys.readouterr().err
    assert reference.main([str(page)]) == 0
    assert reference.main(["--check", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "an earlier list" not in text
    assert reference.main([]) == 2
    with pytest.raises(ValueError, match="markers"):
        reference.updated("no markers")


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    # Typer itself reads types with pydantic when it shows the flags of one verb.
    own = "" if arguments == ["--help"] else "- {'pydantic_core'}"
    program = (
        "import sys\n"
        "from ftproviders.cli.main import main\n"
        f"assert main({arguments!r}) == 0\n"
        "heavy = {'pydantic_core', 'yaml', 'rich', 'tenacity', 'httpx2', 'msgspec', 'sqlite3',"
        " 'ftproviders.client', 'ftproviders.registry', 'ftproviders.schema'}\n"
        f"print(sorted(heavy & set(sys.modules) {own}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "Usage: " in done.stdout


def test_no_providers_name_stands_in_the_commands() -> None:
    names = ("openai", "azure", "autotrain", "hf-jobs", "hf_jobs", "huggingface", "memory")
    for file in (ROOT / "ftproviders" / "cli").glob("*.py"):
        text = file.read_text(encoding="utf-8").lower()
        assert not [name for name in names if name in text], file
        assert '"local"' not in text, file
