"""A local job in several processes and on several machines: options, arithmetic, launcher line."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ftproviders.errors import ConfigurationError, MissingDependencyError
from ftproviders.provider import ProviderOptions
from ftproviders.worker import hardware
from ftproviders.worker.launching import is_distributed, launcher_line

__all__ = [
    "ParallelOptions",
    "about_parallel",
    "default_parallel",
    "missing_means",
    "parallel_problems",
]

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}")
_FOLDER = "FTPROVIDERS_HOME/local/runs/JOB"
_INSTALL = "DS_BUILD_OPS=0 pip install 'ftproviders[distributed]'"


class ParallelOptions(ProviderOptions):
    """Options of a training in several processes."""

    processes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes on each machine; with NVIDIA GPUs one for each GPU."""
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines."""
    parallel: Literal["none", "ddp", "zero1", "zero2", "zero3", "fsdp"] | None = None
    """What each process holds: ``ddp`` = everything, ``zero1`` = its share of the optimizer's
    state, ``zero2`` = of the gradients too, ``zero3`` and ``fsdp`` = of the weights too. None =
    ``ddp`` with several processes."""
    rendezvous: Annotated[str, Field(min_length=3)] | None = None
    """Where machines meet: ``HOST:PORT`` of the first one, which submits; only with `nodes`."""


def default_parallel(settings: Mapping[str, Any]) -> str:
    """Return what `parallel` is when the user did not say."""
    return "ddp" if is_distributed(settings) else "none"


def parallel_problems(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, and what to do; nothing of this machine is looked at.

    Args:
        settings: The job's resolved settings.
    """
    asked, nodes, several = settings["parallel"], settings["nodes"], is_distributed(settings)
    if several and asked == "none":
        yield (
            f"parallel=none does not go with {settings['processes'] * nodes} processes.",
            "Set processes=1 and nodes=1, or parallel=ddp.",
        )
    if not several and asked != "none":
        yield (
            f"parallel={asked} shares a training between processes, and there is only one.",
            "Set processes=2 or more, or leave parallel out.",
        )
    if nodes > 1 and not _ENDPOINT.fullmatch(settings["rendezvous"] or ""):
        yield (
            f"{nodes} machines need a place to meet; rendezvous={settings['rendezvous']}.",
            "Set rendezvous=HOST:PORT: this machine's name as the others see it, and a free port.",
        )
    if nodes == 1 and settings["rendezvous"] is not None:
        yield "rendezvous is for several machines, and nodes is 1.", "Leave it out, or set nodes."
    count, pieces = settings["processes"] * nodes, settings["gradient_accumulation_steps"]
    if settings["batch_size"] % (count * pieces):
        yield (
            (
                f"batch_size={settings['batch_size']} rows of one optimizer step cannot be shared "
                f"equally by {count} processes x {pieces} passes."
            ),
            f"Make batch_size a multiple of {count * pieces}.",
        )
    if asked in ("zero3", "fsdp") and settings["tuning"] == "qlora":
        yield (
            (
                f"parallel={asked} cuts weights into pieces, which is not done here with the 4-bit "
                "weights of QLoRA."
            ),
            "Use parallel=ddp, zero1 or zero2 with tuning=qlora, or another tuning.",
        )


def missing_means(settings: Mapping[str, Any]) -> Iterator[ConfigurationError]:
    """Yield what this machine lacks for the processes that were asked for.

    Args:
        settings: The job's resolved settings.
    """
    asked = str(settings["parallel"])
    if asked.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        yield MissingDependencyError(
            f"parallel={asked} needs DeepSpeed, which is not installed.",
            provider="local",
            operation="plan",
            hint=f"Run: {_INSTALL}",
        )
    if asked == "fsdp" and not hardware.has_nvidia_device():
        yield _refused(
            "parallel=fsdp needs NVIDIA GPUs: on CPUs transformers' Trainer would silently run it "
            "as ddp, with nothing shared out.",
            "Use parallel=ddp, or zero1, zero2 or zero3, which do share out on CPUs.",
        )
    there = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if is_distributed(settings) and there and settings["processes"] > there:
        yield _refused(
            f"processes={settings['processes']}, but this machine has {there} NVIDIA GPUs.",
            f"Set processes={there} or less: one process for each GPU.",
        )


def _refused(message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(message, provider="local", operation="plan", hint=hint)


def _places(processes: int, nodes: int) -> str:
    """Say on which machines the processes are."""
    return "on this machine" if nodes == 1 else f"{processes} on each of {nodes} machines"


def about_parallel(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield lines for a plan: who trains, what each takes, what is typed where.

    Args:
        settings: The job's resolved settings.
    """
    if not is_distributed(settings):
        return
    processes, nodes = settings["processes"], settings["nodes"]
    pieces = settings["gradient_accumulation_steps"]
    count = processes * nodes
    each = settings["batch_size"] // (count * pieces)
    backend = "nccl" if hardware.has_nvidia_device() else "gloo"
    yield (
        f"Processes: {count} ({_places(processes, nodes)}), {settings['parallel']} over {backend}."
    )
    yield (
        f"Batch: {settings['batch_size']} rows in one optimizer step = {count} processes x "
        f"{pieces} {'pass' if pieces == 1 else 'passes'} x {each} {'row' if each == 1 else 'rows'}."
    )
    if nodes == 1:
        return
    yield (
        "Shared: FTPROVIDERS_HOME must be on one file system under the same path on all machines, "
        "and the base model must be there on each of them."
    )
    for node in range(1, nodes):
        line = launcher_line(settings, node=node, run_id="JOB", folder=_FOLDER)
        yield f"On machine {node}, once the job is submitted (an event has the exact line): {line}"
