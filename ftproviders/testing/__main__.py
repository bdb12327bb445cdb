"""``python -m ftproviders.testing openai --port 8000``: an emulated service for other programs."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ftproviders.testing.openai import Behaviour, OpenAIEmulator, WireFault

__all__ = ["main"]

_SHARES = {"validating_seconds": 0.1, "queued_seconds": 0.2, "running_seconds": 0.7}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit code.

    Args:
        arguments: Command line; default that of this process.
    """
    given = _parser().parse_args(arguments)
    behaviour = replace(
        Behaviour(
            lag_seconds=given.lag_seconds,
            late_events_seconds=given.late_events_seconds,
            # A journal that knows jobs of an earlier rehearsal must not take new ones for them.
            id_salt=secrets.token_hex(8),
        ),
        **{name: share * given.job_seconds for name, share in _SHARES.items()},
    )
    with OpenAIEmulator(
        given.folder,
        api_key=given.api_key,
        behaviour=behaviour,
        faults=given.faults,
        port=given.port,
    ) as server:
        sys.stdout.write(
            f"Emulating OpenAI's fine-tuning API; nothing leaves this machine, Ctrl-C ends it.\n\n"
            f"  export OPENAI_BASE_URL={server.base_url}\n"
            f"  export OPENAI_API_KEY={server.api_key}\n\n"
            f"A job takes {given.job_seconds:g} seconds. "
            f"Control path: {server.root_url}/_emulator/\n"
        )
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ftproviders.testing")
    services = parser.add_subparsers(required=True, metavar="SERVICE")
    openai = services.add_parser("openai", help="OpenAI's files, uploads, jobs, models and chat")
    openai.add_argument("--port", type=int, default=8000, help="0 = any that is free")
    openai.add_argument("--api-key", default="sk-emulated-0123456789abcdef", help="the only key")
    openai.add_argument("--folder", type=Path, help="keep the state there; default: forget it")
    openai.add_argument("--job-seconds", type=float, default=20.0, help="how long a job takes")
    openai.add_argument("--lag-seconds", type=float, default=0.0, help="lists lag by this much")
    openai.add_argument(
        "--late-events-seconds", type=float, default=0.0, help="last events after the end of a job"
    )
    openai.add_argument(
        "--faults", type=_faults, default=(), help="JSON file with a list of faults to play"
    )
    return parser


def _faults(path: str) -> Sequence[WireFault]:
    try:
        return TypeAdapter(list[WireFault]).validate_json(Path(path).read_bytes())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(piece) for piece in first["loc"])
        raise argparse.ArgumentTypeError(f"{path}: {place}: {first['msg']}") from None


if __name__ == "__main__":
    sys.exit(main())
