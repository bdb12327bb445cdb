"""Install a pure Python project into a folder, as an installer would, without any build tool.

It takes the name, version and entry points from the project's own pyproject.toml, so the tests
need neither network nor a build backend.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

NIMBUS = Path(__file__).parent / "nimbus"


def install(project: Path, target: Path) -> Path:
    """Copy `project`'s packages to `target` and write its metadata; return `target`."""
    data = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    name, version = data["project"]["name"], data["project"]["version"]
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "src", target, dirs_exist_ok=True, ignore=skip)
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in data["project"]["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    files = [path for path in target.rglob("*") if path.is_file()]
    record = "".join(f"{path.relative_to(target).as_posix()},,\n" for path in files)
    (info / "RECORD").write_text(record)
    return target
