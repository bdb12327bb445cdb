"""Builds the native part of the data engine, or does without where there is no C compiler.

Hatchling runs this for wheels and for editable installs. As a program it builds in place:

    python hatch_build.py
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a program
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "native" / "module.c"
FLAGS = ("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")


def target() -> Path:
    """Return where the extension goes, for the Python that runs this."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
    return ROOT / "ftproviders" / "data" / f"_native{suffix}"


def build(extra: tuple[str, ...] = ()) -> str:
    """Compile the extension; return why that is not possible, empty when it is done.

    Args:
        extra: More arguments for the compiler.
    """
    if os.name != "posix":
        return "the native engine is for POSIX systems"
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    compiler = named if named and shutil.which(named[0]) else ["cc"]
    if not shutil.which(compiler[0]):
        return "there is no C compiler"
    mac = sys.platform == "darwin"
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if mac else ["-shared"]
    made = target()
    unfinished = made.with_name(f"{made.name}.{os.getpid()}")
    done = subprocess.run(
        [*compiler, *FLAGS, *shared, *extra, f"-I{sysconfig.get_path('include')}", str(SOURCE),
         "-o", str(unfinished)],
        capture_output=True,
        text=True,
    )  # fmt: skip
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        faults = [line for line in done.stderr.splitlines() if "error" in line]
        return f"{compiler[0]} failed: {(faults or ['no reason given'])[0]}"
    unfinished.replace(made)
    return ""


class CustomBuildHook(BuildHookInterface):
    """Puts the extension into wheels; a wheel without it is one for every machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and say in one line when that is not possible."""
        if self.target_name != "wheel":
            return
        problem = build()
        if problem:
            target().unlink(missing_ok=True)  # one of an earlier version would be worse than none
            self.app.display_warning(f"Data files are looked at in Python alone: {problem}.")
            return
        build_data["artifacts"].append(f"/{target().relative_to(ROOT).as_posix()}")
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


if __name__ == "__main__":
    fault = build(tuple(sys.argv[1:]))
    print(fault or f"built {target()}")
    sys.exit(1 if fault else 0)
