"""Commands in processes of their own, without paying for their imports each time.

A launcher is a process that has imported the command line and an SDK, and nothing else. For every
command it forks: the child is a fresh process with an environment, a folder and a state of its own,
and can be killed like any other.

As a program it reads orders from stdin and writes answers to stdout, one JSON value a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Launcher"]

_LIMIT_SECONDS = 180


class Launcher:
    """One such process; starts commands one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.launcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        started: Callable[[int], None] = lambda _: None,
    ) -> tuple[int, str, str]:
        """Run ``ftproviders`` with `arguments`.

        Args:
            arguments: Without the program's name.
            folder: Working directory; what the command says is kept there for a moment.
            environment: The whole environment.
            started: Told the process id before the command begins.

        Returns:
            Exit code (negative for a signal), stdout, stderr.
        """
        order = {
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
        }
        pid = self._ask(order)
        started(pid)
        overtime = threading.Timer(_LIMIT_SECONDS, os.kill, (pid, 9))
        overtime.start()
        code = self._ask("go")
        overtime.cancel()
        said = [(folder / name).read_text(errors="replace") for name in ("stdout", "stderr")]
        return code, said[0], said[1]

    def close(self) -> None:
        """End the launcher."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _warm_up() -> None:
    """Plan a job once, so that whatever is imported and cached on the way is there for all."""
    from ftproviders.adapters.azure_openai import management  # noqa: F401 - for the children
    from ftproviders.cli.main import main
    from ftproviders.testing.memory import adapter  # noqa: F401 - imported for the children

    row = {"messages": [{"role": r, "content": "x"} for r in ("user", "assistant")]}
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        Path(folder, "train.jsonl").write_text((json.dumps(row) + "\n") * 12)
        Path(folder, "job.yaml").write_text(
            "provider: openai\nbase_model: gpt-4.1-mini-2025-04-14\ntraining_file: train.jsonl\n"
        )
        os.chdir(folder)
        os.environ |= {
            "FTPROVIDERS_HOME": folder,
            "FTPROVIDERS_CACHE": folder,
            "FTPROVIDERS_CONFIG": f"{folder}/config.toml",
            # Nobody listens at this port: the plan goes without what the service would say.
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
            "OPENAI_API_KEY": "sk-warm-up-0123456789",
        }
        sys.argv = ["ftproviders", "plan", "job.yaml"]
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            if main() != 0:
                raise SystemExit("the plan that warms a launcher up has failed")
        os.chdir("/")


def _serve() -> None:
    """Fork for every order."""
    _warm_up()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    while line := sys.stdin.readline():
        order = json.loads(line)
        gate_out, gate_in = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(gate_in)
            answers.close()
            os.read(gate_out, 1)
            os.close(gate_out)
            _child(order)
        os.close(gate_out)
        answers.write(f"{pid}\n")
        sys.stdin.readline()
        os.close(gate_in)
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")


def _child(order: Mapping[str, Any]) -> NoReturn:
    code = 70
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.argv = ["ftproviders", *order["arguments"]]
        from ftproviders.cli.main import run

        run()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
