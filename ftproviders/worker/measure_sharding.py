"""Program: what each of two processes holds of weights, gradients and optimizer state.

Started as ``python -m ftproviders.worker.measure_sharding``. A Llama model of about a million
random fp32 weights takes one AdamW step with each strategy, in two processes over gloo on this
machine; what is counted are the tensors that the processes really hold. One line of JSON comes out.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftproviders.worker.rundir import read_json, write_json

__all__ = ["PROCESSES", "main", "measure_sharding"]

PROCESSES = 2
_TUNINGS = ("lora", "dora")
_STAGES = (1, 2, 3)


def main() -> int:
    """Measure and print; returns the exit code."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with tempfile.TemporaryDirectory() as folder:
        found = measure_sharding(Path(folder))
    answers.write(json.dumps(found) + "\n")
    answers.close()
    return 0


def measure_sharding(folder: Path) -> dict[str, Any]:
    """Run two processes and return what the first one holds with each strategy.

    Args:
        folder: Where the processes leave what they found.

    Returns:
        ``strategies``: name -> ``parameter_bytes``, ``gradient_bytes``, ``optimizer_bytes``,
        ``trainable_parameters`` and ``total_parameters``; ``missing``: why some were not run.
    """
    import torch.multiprocessing as processes

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    untyped: Any = processes
    untyped.spawn(_rank, args=(port, str(folder)), nprocs=PROCESSES, join=True)
    ranks = [read_json(folder / f"rank-{number}.json") for number in range(PROCESSES)]
    return {"strategies": _larger(ranks), "missing": _missing()}


def _missing() -> str | None:
    if importlib.util.find_spec("deepspeed") is not None:
        return None
    return "ZeRO was not run: deepspeed is not installed."


def _larger(ranks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return, for each number, that of the process that holds more: pieces may be uneven."""
    return {
        name: {key: max(rank[name][key] for rank in ranks) for key in first}
        for name, first in ranks[0].items()
    }


def _rank(number: int, port: int, folder: str) -> None:
    os.environ.update(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        RANK=str(number),
        LOCAL_RANK=str(number),
        WORLD_SIZE=str(PROCESSES),
        DS_ACCELERATOR="cpu",
    )
    import torch
    import torch.distributed as together

    torch.set_num_threads(1)
    together.init_process_group("gloo", rank=number, world_size=PROCESSES)
    found: dict[str, Any] = {}
    for tuning in ("full", *_TUNINGS):
        found[f"one process {tuning}"] = _plain(_model(tuning), _step)
        found[f"ddp {tuning}"] = _ddp(tuning)
    found["fsdp full"] = _fsdp()
    if _missing() is None:
        for stage in _STAGES:
            found[f"zero{stage} full"] = _zero(stage)
    write_json(Path(folder) / f"rank-{number}.json", found)
    together.barrier()
    # Without this a process that ends first takes the other down while it still cleans up.
    together.destroy_process_group()


def _model(tuning: str = "full") -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=1024,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            tie_word_embeddings=True,
        )
    )
    if tuning == "full":
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=8, target_modules="all-linear", use_dora=tuning == "dora")
    return get_peft_model(model, config)


def _batch() -> dict[str, Any]:
    import torch

    ids = torch.arange(32).reshape(2, 16)
    return {"input_ids": ids, "labels": ids}


def _held(tensors: Iterable[Any]) -> int:
    """Return the bytes of tensors, of a sharded one the piece that is here."""
    total = 0
    for tensor in tensors:
        if tensor is not None:
            here = tensor.to_local() if hasattr(tensor, "to_local") else tensor
            total += here.numel() * here.element_size()
    return total


def _sizes(model: Any, weights: int, gradients: int, state: int) -> dict[str, int]:
    count = [(getattr(p, "ds_numel", p.numel()), p.requires_grad) for p in model.parameters()]
    return {
        "parameter_bytes": weights,
        "gradient_bytes": gradients,
        "optimizer_bytes": state,
        "trainable_parameters": sum(size for size, trained in count if trained),
        "total_parameters": sum(size for size, _ in count),
    }


def _step(model: Any) -> None:
    model(**_batch()).loss.backward()


def _plain(model: Any, backward: Callable[[Any], None]) -> dict[str, int]:
    """Take a step with torch's own AdamW and count."""
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    backward(model)
    gradients = _held(p.grad for p in trained)
    optimizer.step()
    return _sizes(model, _held(model.parameters()), gradients, _moments(optimizer))


def _moments(optimizer: Any) -> int:
    kept = [value for state in optimizer.state.values() for value in state.values()]
    return _held(value for value in kept if getattr(value, "ndim", 0) > 0)


def _ddp(tuning: str) -> dict[str, int]:
    from torch.nn.parallel import DistributedDataParallel

    return _plain(DistributedDataParallel(_model(tuning)), _step)


def _fsdp() -> dict[str, int]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = _model()
    mesh = init_device_mesh("cpu", (PROCESSES,))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return _plain(model, _step)


def _zero(stage: int) -> dict[str, int]:
    import deepspeed
    import torch

    # DeepSpeed would compile an operation that no training calls, for a minute or more.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="gloo", verbose=False)
    model = _model()
    settings = {
        "train_micro_batch_size_per_gpu": 2,
        "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0},
        # torch's AdamW, so that the state is the same as with the others.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    made: Any = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        config=settings,
    )
    engine, optimizer, *_ = made
    engine.backward(engine(**_batch()).loss)
    gradients = _zero_gradients(engine, optimizer, stage)
    engine.step()
    weights = [getattr(p, "ds_tensor", p) for p in model.parameters()]
    copies = _copies(optimizer, stage)
    sizes = _sizes(model, _held(weights), gradients, _moments(optimizer.optimizer) + copies)
    engine.destroy()
    return sizes


def _zero_gradients(engine: Any, optimizer: Any, stage: int) -> int:
    """Return the bytes of gradients between backward and step."""
    if stage == max(_STAGES):
        from deepspeed.utils import safe_get_local_grad

        return _held(safe_get_local_grad(p) for p in engine.module.parameters())
    own = [grad for group in optimizer.averaged_gradients.values() for grad in group or ()]
    return _held([*own, *(p.grad for p in engine.module.parameters())])


def _copies(optimizer: Any, stage: int) -> int:
    """Return the bytes of the fp32 weights that the optimizer updates, beside the model's own."""
    if stage == max(_STAGES):
        return _held(optimizer.fp32_partitioned_groups_flat)
    return _held(optimizer.single_partition_of_fp32_groups)


if __name__ == "__main__":
    sys.exit(main())
