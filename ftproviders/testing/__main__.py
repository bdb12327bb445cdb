"""Emulated services for other programs: ``python -m ftproviders.testing openai --port 8000``."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ftproviders.testing.azure_openai import (
    ArmEmulator,
    ArmFault,
    AzureBehaviour,
    AzureOpenAIEmulator,
    HostingBehaviour,
    IdentityEmulator,
    Resource,
)
from ftproviders.testing.openai import Behaviour, OpenAIEmulator, WireFault

__all__ = ["main"]

_Fault = TypeVar("_Fault", bound=WireFault)
_SHARES = {"validating_seconds": 0.1, "queued_seconds": 0.2, "running_seconds": 0.7}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit code.

    Args:
        arguments: Command line; default that of this process.
    """
    given = _parser().parse_args(arguments)
    with contextlib.ExitStack() as stack:
        server, environment, what = given.serve(stack, given)
        exports = "".join(f"  export {name}={value}\n" for name, value in environment.items())
        sys.stdout.write(
            f"Emulating {what}; nothing leaves this machine, Ctrl-C ends it.\n\n{exports}\n"
            f"A job takes {given.job_seconds:g} seconds. "
            f"Control path: {server.root_url}/_emulator/\n"
        )
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    return 0


_Served = tuple[OpenAIEmulator, Mapping[str, str], str]


def _openai(stack: contextlib.ExitStack, given: argparse.Namespace) -> _Served:
    emulator = OpenAIEmulator(behaviour=_times(Behaviour(), given), **_common(given))
    server = stack.enter_context(emulator)
    return server, server.environment, "OpenAI's fine-tuning API"


def _azure_openai(stack: contextlib.ExitStack, given: argparse.Namespace) -> _Served:
    folder: Path | None = given.folder
    behaviour = HostingBehaviour(
        provisioning_seconds=given.deployment_seconds * 2 / 3,
        silent_seconds=given.deployment_seconds / 3,
        deleting_seconds=min(given.deployment_seconds, 10.0),
    )
    resource = Resource(folder=folder and folder / "resource", behaviour=behaviour)
    identity = stack.enter_context(IdentityEmulator())
    emulator = AzureOpenAIEmulator(
        behaviour=_times(AzureBehaviour(), given),
        resource=resource,
        identity=identity,
        **_common(given),
    )
    server = stack.enter_context(emulator)
    arm = stack.enter_context(
        ArmEmulator(resource, identity=identity, folder=folder, faults=given.arm_faults)
    )
    environment = {**server.environment, **arm.environment}
    return server, environment, "a resource of Azure OpenAI, and where it is managed"


def _times(behaviour: Any, given: argparse.Namespace) -> Any:
    # A journal that knows jobs of an earlier rehearsal must not take new ones for them.
    behaviour = replace(behaviour, id_salt=secrets.token_hex(8))
    shares = {name: share * given.job_seconds for name, share in _SHARES.items()}
    own = {field.name for field in fields(behaviour)}
    said = {name: value for name, value in vars(given).items() if name in own}
    return replace(behaviour, **shares, **said)


def _common(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "folder": given.folder,
        "api_key": given.api_key,
        "faults": given.faults,
        "port": given.port,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ftproviders.testing")
    services = parser.add_subparsers(required=True, metavar="SERVICE")
    openai = services.add_parser("openai", help="OpenAI's files, uploads, jobs, models and chat")
    _flags(openai, port=8000, key="sk-emulated-0123456789abcdef", serve=_openai)
    azure = services.add_parser(
        "azure-openai", help="one resource of Azure OpenAI: files, jobs, deployments, chat, tokens"
    )
    _flags(azure, port=8001, key="0123456789abcdef0123456789abcdef", serve=_azure_openai)
    azure.add_argument(
        "--deployment-seconds",
        type=float,
        default=15.0,
        help="from the request until a deployment answers; the last third of it looks ready",
    )
    azure.add_argument(
        "--arm-faults",
        type=_arm_faults,
        default=(),
        help="JSON file with a list of faults of the management plane",
    )
    return parser


def _flags(parser: argparse.ArgumentParser, *, port: int, key: str, serve: Any) -> None:
    parser.set_defaults(serve=serve)
    parser.add_argument("--port", type=int, default=port, help="0 = any that is free")
    parser.add_argument("--api-key", default=key, help="the only key")
    parser.add_argument("--folder", type=Path, help="keep the state there; default: forget it")
    parser.add_argument("--job-seconds", type=float, default=20.0, help="how long a job takes")
    parser.add_argument("--lag-seconds", type=float, default=0.0, help="lists lag by this much")
    parser.add_argument(
        "--late-events-seconds", type=float, default=0.0, help="last events after the end of a job"
    )
    parser.add_argument(
        "--faults", type=_faults, default=(), help="JSON file with a list of faults to play"
    )


def _faults(path: str) -> Sequence[WireFault]:
    return _read(path, TypeAdapter(list[WireFault]))


def _arm_faults(path: str) -> Sequence[ArmFault]:
    return _read(path, TypeAdapter(list[ArmFault]))


def _read(path: str, kind: TypeAdapter[list[_Fault]]) -> Sequence[_Fault]:
    try:
        return kind.validate_json(Path(path).read_bytes())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(piece) for piece in first["loc"])
        raise argparse.ArgumentTypeError(f"{path}: {place}: {first['msg']}") from None


if __name__ == "__main__":
    sys.exit(main())
