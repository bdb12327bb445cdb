"""What an import of the package, and of its parts, brings along: seen in fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SDKS = {"openai", "azure", "huggingface_hub"}
TRAINING = {"torch", "transformers", "peft", "accelerate", "safetensors", "gguf", "numpy"}
SCREEN = {"rich", "typer", "click"}
NETWORK = {"httpx2", "httpx", "requests", "urllib3"}


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that are loaded after `code` ran in a fresh interpreter."""
    report = "import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_itself_loads_next_to_nothing() -> None:
    unwanted = SDKS | TRAINING | SCREEN | NETWORK | {"pydantic", "tenacity", "sqlite3", "yaml"}

    assert loaded_by("import ftproviders") & unwanted == set()


@pytest.mark.parametrize("name", ["JobSpec", "FineTuneClient", "submit", "FineTuneError"])
def test_a_public_name_loads_no_sdk_and_no_screen(name: str) -> None:
    loaded = loaded_by(f"import ftproviders\nftproviders.{name}")

    assert loaded & (SDKS | TRAINING | SCREEN) == set()


def test_describing_every_provider_loads_no_sdk() -> None:
    code = "import ftproviders.registry as r\nfor name in r.names(): r.info(name)"

    assert loaded_by(code) & (SDKS | TRAINING | SCREEN | NETWORK) == set()


@pytest.mark.parametrize("arguments", ["--help", "--version", "providers", "submit --help"])
def test_the_command_line_loads_no_sdk(arguments: str) -> None:
    code = (
        "import sys\n"
        "from ftproviders.cli.main import run\n"
        f"sys.argv = ['ftproviders', *{arguments.split()!r}]\n"
        "try:\n    run()\nexcept SystemExit:\n    pass"
    )

    assert loaded_by(code) & (SDKS | TRAINING | NETWORK) == set()
