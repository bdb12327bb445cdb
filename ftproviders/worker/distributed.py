"""One training in several processes: who am I, my share of the rows, sums over all, the wrapper.

Everything here also works in a training of one process, where it changes nothing. Imports torch.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import Sampler
from transformers import TrainerCallback
from typing_extensions import override

from ftproviders.worker.failures import WorkError
from ftproviders.worker.loading import choose_dtype

__all__ = [
    "RankBatches",
    "WrapperCheck",
    "agreed",
    "check_wrapper",
    "finish",
    "is_main",
    "parallel_arguments",
    "rank",
    "seed_rank",
    "shares",
    "start",
    "summed",
    "whole_state",
    "world_size",
]

_TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others in one exchange, for instance while one of them saves."""

_control: Any = None
"""Group for messages between the processes; always gloo, so that no GPU is waited for."""


# --- who am I --------------------------------------------------------------------------------


def rank() -> int:
    """Return the number of this process among all, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Say whether this process is the one that writes."""
    return rank() == 0


def start(settings: Mapping[str, Any]) -> None:
    """Join the other processes; the launcher's environment says who they are.

    Args:
        settings: The job's resolved settings.
    """
    global _control  # noqa: PLW0603 - process groups are a state of the process
    cuda = torch.cuda.is_available()
    backend = "nccl" if cuda else "gloo"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if _zero_stage(settings):
        # DeepSpeed must be there before the model is loaded, or ZeRO-3 believes to be alone.
        _start_deepspeed(backend)
    else:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    _control = dist.new_group(backend="gloo", timeout=_TIMEOUT) if cuda else dist.group.WORLD


def _start_deepspeed(backend: str) -> None:
    import deepspeed

    if backend == "gloo":
        # DeepSpeed would compile an operation for inference on CPUs, which takes a minute and a
        # compiler; training never calls it.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=backend, timeout=_TIMEOUT, verbose=False)


def finish() -> None:
    """Leave the others, after all have come here; without that DeepSpeed aborts at exit."""
    global _control  # noqa: PLW0603 - process groups are a state of the process
    if dist.is_initialized():
        dist.barrier(group=_control)
        _control = None
        dist.destroy_process_group()


def seed_rank(seed: int) -> None:
    """Give each process its own random numbers, so that dropout differs between their rows."""
    if rank() > 0:
        torch.manual_seed(seed * 1_000_003 + rank())


# --- exchanges: every process must call them, in the same order ------------------------------


def agreed(word: str) -> str:
    """Return the word of process 0 in every process."""
    if world_size() == 1:
        return word
    box = [word]
    dist.broadcast_object_list(box, src=0, group=_control)
    return box[0]


def summed(*numbers: float) -> list[float]:
    """Return the sums of the numbers over all processes."""
    if world_size() == 1:
        return list(numbers)
    total = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(total, group=_control)
    return [float(number) for number in total]


# --- my share --------------------------------------------------------------------------------


def shares(batches: Sequence[Any]) -> Iterator[Any | None]:
    """Yield this process's batches; None where it has none while another still has one.

    Every process gets the same number, because a sharded model needs all of them in each pass.
    """
    for start_at in range(0, len(batches), world_size()):
        index = start_at + rank()
        yield batches[index] if index < len(batches) else None


class RankBatches(Sampler[list[int]]):  # type: ignore[misc]  # torch is not followed by mypy
    """Cuts an order of rows into batches over all processes, and yields this one's part of each.

    Neighbours in the order have similar lengths, so each process takes every n-th row: all pad to
    about the same length. The last batch may leave a process without a row; it then gets an empty
    batch and must take part all the same.

    Args:
        order: Order of all rows; its ``set_epoch`` is called for each epoch.
        batch_size: Rows of one batch over all processes.
    """

    def __init__(self, order: Any, *, batch_size: int) -> None:
        self.order = order
        self.batch_size = batch_size

    @property
    def batch_sampler(self) -> RankBatches:
        """Itself: where the Trainer looks for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; the Trainer calls it."""
        self.order.set_epoch(epoch)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    @override
    def __iter__(self) -> Iterator[list[int]]:
        rows = list(self.order)
        for at in range(0, len(rows), self.batch_size):
            yield rows[at : at + self.batch_size][rank() :: world_size()]


# --- the wrapper -----------------------------------------------------------------------------


def _zero_stage(settings: Mapping[str, Any]) -> int:
    """Return the stage of ZeRO that was asked for; 0 = none."""
    asked = str(settings.get("parallel") or "")
    return int(asked.removeprefix("zero")) if asked.startswith("zero") else 0


def parallel_arguments(settings: Mapping[str, Any], *, micro: int) -> dict[str, Any]:
    """Return the Trainer's arguments for the wrapper that was asked for.

    Args:
        settings: The job's resolved settings.
        micro: Rows in one pass of one process.
    """
    if world_size() == 1:
        return {}
    asked = settings["parallel"]
    bf16 = choose_dtype(settings["dtype"]) == torch.bfloat16
    arguments: dict[str, Any] = {
        "ddp_backend": "nccl" if torch.cuda.is_available() else "gloo",
        # Every trained weight takes part in every pass; looking for unused ones costs time.
        "ddp_find_unused_parameters": False,
    }
    if _zero_stage(settings):
        arguments["deepspeed"] = _deepspeed_config(settings, micro=micro, bf16=bf16)
        arguments["bf16"] = bf16
    elif asked == "fsdp":
        arguments["fsdp"] = "full_shard auto_wrap"
        arguments["fsdp_config"] = {"version": 2, "state_dict_type": "FULL_STATE_DICT"}
    return arguments


def _deepspeed_config(settings: Mapping[str, Any], *, micro: int, bf16: bool) -> dict[str, Any]:
    pieces = settings["gradient_accumulation_steps"]
    zero: dict[str, Any] = {
        "stage": _zero_stage(settings),
        "overlap_comm": torch.cuda.is_available(),
        "contiguous_gradients": True,
    }
    return {
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": pieces,
        "train_batch_size": micro * pieces * world_size(),
        "gradient_clipping": "auto",
        "bf16": {"enabled": bf16},
        "zero_optimization": zero,
        # Torch's optimizer is used, the same as without DeepSpeed; its own one for CPUs would be
        # compiled first.
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 1_000_000_000,
    }


def wrapper_of(model: Any) -> str:
    """Name the wrapper that a model really runs in, as option `parallel` does.

    Args:
        model: What the training loop calls.
    """
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if "DeepSpeedEngine" in kinds:
        return f"zero{model.zero_optimization_stage()}"
    sharded = any(type(parameter).__name__ == "DTensor" for parameter in model.parameters())
    if sharded or kinds & {"FullyShardedDataParallel", "FSDPModule"}:
        return "fsdp"
    return "ddp" if "DistributedDataParallel" in kinds else "none"


class WrapperCheck(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Runs `check_wrapper` before the first step.

    Args:
        trainer: The Trainer.
        settings: The job's resolved settings.
    """

    def __init__(self, trainer: Any, settings: Mapping[str, Any]) -> None:
        self.trainer = trainer
        self.asked = str(settings.get("parallel", "none")) if world_size() > 1 else "none"

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        check_wrapper(self.trainer.model_wrapped, self.asked)


def check_wrapper(model: Any, asked: str) -> None:
    """Make sure that the wrapper that runs is the one that was asked for.

    Libraries fall back silently: FSDP asked for on CPUs runs as DDP.

    Args:
        model: What the training loop calls.
        asked: Option `parallel`.

    Raises:
        WorkError: It is another one.
    """
    found = wrapper_of(model)
    if found == asked:
        return
    raise WorkError(
        f"Option parallel={asked} was asked for, but the training would run as {found} "
        f"({type(model).__name__}). It was stopped before its first step. Set parallel={found} "
        "if that is good enough; fsdp needs NVIDIA GPUs.",
        code="wrapper",
        param="parallel",
    )


def whole_state(model: Any) -> dict[str, torch.Tensor] | None:
    """Return the trained weights in one piece, or None when they already are.

    An exchange. Only process 0 keeps them; the others get empty ones, one weight at a time.

    Args:
        model: The model without wrapper; under ZeRO-3 and FSDP its weights are in pieces.
    """
    if world_size() == 1:
        return None
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if any(hasattr(parameter, "ds_id") for parameter in trained.values()):
        import deepspeed

        gather: Any = deepspeed.zero.GatheredParameters
    elif any(hasattr(parameter, "full_tensor") for parameter in trained.values()):
        gather = None
    else:
        return None
    state = {}
    for name, parameter in trained.items():
        with gather([parameter]) if gather else contextlib.nullcontext():
            whole = parameter.detach() if gather else parameter.detach().full_tensor()
            state[name] = whole.cpu().clone() if is_main() else torch.empty(0)
    return state
