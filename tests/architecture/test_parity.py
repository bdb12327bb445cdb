"""Extras, registry and documentation say the same; public names are documented."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import ftproviders
from ftproviders import registry
from tests.architecture.tree import PACKAGE, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ROOMS = ("schema.job", "schema.plan", "schema.dataset", "schema.hyperparameters", "schema.chat",
         "schema.deployment", "errors", "provider", "registry", "client", "testing")  # fmt: skip


# The table is private; beside the registry itself, only this file counts its rows. Providers that
# other installed packages bring do not belong to this package's documentation.
BUILT_IN = tuple(registry._BUILT_IN)
# Providers whose data rules are known, and whose adapters are still to be written, have no row in
# the tables of what works.
WORKING = tuple(name for name in BUILT_IN if not registry.info(name).rules_only)


@pytest.mark.parametrize("name", BUILT_IN)
def test_provider_is_documented_where_it_says(name: str) -> None:
    info = registry.info(name)
    assert info.docs.startswith("docs/providers/"), info.docs
    main = ROOT / info.docs
    # What is too much for one page stands in others beside it: its name, a dash, the subject.
    further = sorted(main.parent.glob(f"{main.stem}-*.md"))
    page = "\n".join(file.read_text("utf-8") for file in (main, *further))
    assert f"`{info.name}`" in page
    kinds = (info.options_type, info.deployment_options_type, info.settings_type)
    for option in (name for kind in kinds for name in kind.model_fields):
        if option not in {"home", "cache"}:
            assert f"`{option}`" in page, f"{info.docs} does not mention {option}"


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - set(WORKING)))
def test_provider_without_adapter_says_so(name: str) -> None:
    info = registry.info(name)
    assert info.training is None
    assert info.hosting is None
    assert info.data.source
    assert "not in this version yet" in (ROOT / info.docs).read_text("utf-8")


@pytest.mark.parametrize("name", WORKING)
def test_provider_has_a_row_in_the_tables(name: str) -> None:
    info = registry.info(name)
    for page in ("README.md", "docs/index.md", "docs/reliability.md"):
        rows = [row for row in (ROOT / page).read_text("utf-8").splitlines() if row.startswith("|")]
        assert any(f"`{info.name}`" in row for row in rows), f"{page} has no row for {info.name}"


def test_every_provider_page_has_its_provider() -> None:
    pages = {file.stem for file in (ROOT / "docs" / "providers").glob("*.md")}
    # A provider with more to tell has further pages: its name, a dash, the subject.
    further = {page for page in pages if page.startswith(tuple(f"{name}-" for name in BUILT_IN))}

    assert pages - (further - set(BUILT_IN)) == set(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_extra_of_a_provider_exists_and_brings_its_modules(name: str) -> None:
    info = registry.info(name)
    if info.extra is None:
        assert not info.modules
        return
    brought = {re.split(r"[\s\[<>=!~;]", line)[0] for line in EXTRAS[info.extra]}
    assert {m.replace("_", "-") for m in info.modules} <= {b.replace("_", "-") for b in brought}


def test_an_extra_is_called_as_its_provider() -> None:
    """So `pip install 'ftproviders[NAME]'` needs no looking up, and brings nothing else."""
    assert {info.extra for name in WORKING if (info := registry.info(name)).extra} == {
        name for name in WORKING if registry.info(name).modules
    }


def test_install_lines_name_extras_that_are_there() -> None:
    texts = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*.py"),
        *PACKAGE.rglob("*.py"),
    ]
    named = {
        (extra, file.name)
        for file in texts
        for found in re.findall(r"(?:ftproviders|'\.)\[([a-z][a-z,-]*)\]", file.read_text("utf-8"))
        for extra in found.split(",")
    }

    assert {("azure-openai", "clippy.py"), ("local", "README.md")} <= named
    assert {one for one in named if one[0] not in EXTRAS} == set()


def test_all_is_the_sum_of_the_extras() -> None:
    assert EXTRAS["all"] == [f"ftproviders[{','.join(e for e in EXTRAS if e != 'all')}]"]


def test_provider_folders_are_in_the_registry() -> None:
    folders = {
        path.parent.name.replace("_", "-")
        for path in (PACKAGE / "adapters").glob("*/adapter.py")
        if not path.parent.name.startswith("_")
    }

    assert folders | {"memory"} == set(WORKING)


def test_constraints_pin_every_direct_dependency() -> None:
    pinned = {
        line.split("==")[0].lower().replace("-", "_")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    }
    landed = [
        "openai",
        "azure-openai",
        "local",
        "distributed",
        "serving",
        "tokens",
        "plot",
        "testing",
    ]
    asked = [*PROJECT["dependencies"], *(line for extra in landed for line in EXTRAS[extra])]
    wanted = {re.split(r"[\s\[<>=!~;]", line)[0].lower().replace("-", "_") for line in asked}

    assert wanted - pinned == set()


def test_public_names_resolve_and_are_listed_in_the_reference() -> None:
    reference = (ROOT / "docs" / "python.md").read_text("utf-8")

    for name in ftproviders.__all__:
        assert getattr(ftproviders, name) is not None
        assert f"`{name}" in reference, f"docs/python.md does not mention {name}"
        assert name in dir(ftproviders)


def test_reference_mentions_no_name_that_is_gone() -> None:
    reference = (ROOT / "docs" / "python.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)", reference, flags=re.MULTILINE)

    assert len(rows) > 20
    assert set(rows) <= set(ftproviders.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_of_a_room_have_docstrings(room: str) -> None:
    module = importlib.import_module(f"ftproviders.{room}")
    bare = []
    for name in module.__all__:
        found = getattr(module, name)
        if not (inspect.isclass(found) or inspect.isfunction(found)):
            continue
        if not (found.__dict__.get("__doc__") if inspect.isclass(found) else found.__doc__):
            bare.append(name)

    assert bare == []


def test_documentation_links_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if "://" not in target
    ]

    assert links
    assert [(p.name, t) for p, t in links if not (p.parent / Path(t)).exists()] == []
