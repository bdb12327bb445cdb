"""The import rules hold, and a breach of each of them is caught and named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT

LAYERS = "Rooms import downwards only"
ADAPTERS = "Adapters, memory and emulators know neither journal, planning nor registry"
NEIGHBOURS = "Providers do not know each other; what they share has an underscore"
TYPER = "Only cli imports typer"
TORCH = "torch and its family only in worker"
SDKS = "SDKs only in the adapter.py and management.py of a provider, and in worker"

FAULTS = [
    # file, line that is added, contract, importer as the report names it, what is imported
    ("schema/job.py", "import ftproviders.runtime", LAYERS, "schema.job", "ftproviders.runtime"),
    ("errors.py", "from ftproviders import client", LAYERS, "errors", "ftproviders.client"),
    ("data/planted.py", "import ftproviders.planning", LAYERS, "data.planted", "planning"),
    ("journal/planted.py", "import ftproviders.planning", LAYERS, "journal.planted", "planning"),
    ("client/client.py", "from ftproviders.cli import main", LAYERS, "client", "ftproviders.cli"),
    ("runtime/planted.py", "import ftproviders.testing", LAYERS, "runtime.planted", "testing"),
    ("helpers.py", "", LAYERS, "helpers", ""),
    ("adapters/local/wire.py", "import ftproviders.journal", ADAPTERS, "local.wire", "journal"),
    ("adapters/local/adapter.py", "import ftproviders.registry", LAYERS, "adapter", "registry"),
    ("testing/memory/planted.py", "import ftproviders.planning", ADAPTERS, "planted", "planning"),
    ("adapters/openai/wire.py", "import ftproviders.adapters.local", NEIGHBOURS, "wire", "local"),
    ("adapters/_hf/planted.py", "import ftproviders.adapters.local", NEIGHBOURS, "_hf", "local"),
    ("adapters/unheard_of/__init__.py", "", NEIGHBOURS, "unheard_of", ""),
    ("provider/info.py", "import typer", TYPER, "provider.info", "typer"),
    ("client/client.py", "def f():\n    import typer", TYPER, "client", "typer"),
    ("new_room/__init__.py", "import typer", TYPER, "new_room", "typer"),
    ("adapters/local/adapter.py", "import torch", TORCH, "local.adapter", "torch"),
    ("data/planted.py", "def f():\n    import transformers", TORCH, "planted", "transformers"),
    ("demo/planted.py", "import peft", TORCH, "demo.planted", "peft"),
    ("adapters/openai/wire.py", "import openai", SDKS, "openai.wire", "openai"),
    ("adapters/_hf/planted.py", "import huggingface_hub", SDKS, "planted", "huggingface_hub"),
    ("runtime/planted.py", "from azure.identity import X", SDKS, "runtime.planted", "azure"),
]
ALLOWED = [
    ("adapters/openai/adapter.py", "def f():\n    import openai"),
    ("adapters/openai/adapter.py", "import ftproviders.adapters._openai_dialect"),
    ("worker/planted.py", "import torch"),
    ("cli/planted.py", "import typer"),
]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts on the package in `root`."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(root: Path, file: str, line: str) -> None:
    """Copy the package to `root`, and add `line` to one of its files."""
    shutil.copytree(PACKAGE, root / "ftproviders", ignore=shutil.ignore_patterns("__pycache__"))
    rooms = ("adapters/openai/__init__.py", "adapters/_openai_dialect/__init__.py")
    for planted in (*rooms, file):
        path = root / "ftproviders" / planted
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    with (root / "ftproviders" / file).open("a", encoding="utf-8") as text:
        text.write(f"\n{line}\n")


def test_rules_hold() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout
    for contract in (LAYERS, ADAPTERS, NEIGHBOURS, TYPER, TORCH, SDKS):
        assert f"{contract} KEPT" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract", "importer", "imported"),
    FAULTS,
    ids=[f"{fault[0]}: {fault[1].split()[-1] if fault[1] else 'new room'}" for fault in FAULTS],
)
def test_planted_fault_is_caught(
    tmp_path: Path, file: str, line: str, contract: str, importer: str, imported: str
) -> None:
    plant(tmp_path, file, line)

    done = lint_imports(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout
    named = [text for text in done.stdout.splitlines() if importer in text and imported in text]
    assert named, done.stdout


@pytest.mark.parametrize(("file", "line"), ALLOWED, ids=[f"{f}: {n}" for f, n in ALLOWED])
def test_allowed_import_passes(tmp_path: Path, file: str, line: str) -> None:
    plant(tmp_path, file, line)

    done = lint_imports(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
