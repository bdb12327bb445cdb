"""Plain LoRA layers computed in fewer, in-place steps on a CPU. Imports torch and peft.

PEFT computes ``base(x) + B(A(x)) * scale`` with a tensor, and a pass over memory, for each sign in
it, forwards and backwards. Here the products are added up in place by the matrix products
themselves. Weights, names and files are PEFT's own; only the way to the result differs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from typing_extensions import override

__all__ = ["fuse_adapters"]


def fuse_adapters(model: Any) -> int:
    """Let the plain LoRA layers of a model compute in fused steps; others stay as they are.

    Plain is: one adapter on a linear layer that is neither quantised nor trained itself, without
    dropout, DoRA or bias of its own, all of one data type, on the CPU.

    Args:
        model: A model; without LoRA layers nothing happens.

    Returns:
        How many layers were changed.
    """
    count = 0
    for layer in model.modules():
        if type(layer) is Linear and _is_plain(layer):
            layer.forward = partial(_forward, layer)
            count += 1
    return count


def _is_plain(layer: Any) -> bool:
    base, names = layer.base_layer, list(layer.lora_A)
    if type(base) is not torch.nn.Linear or len(names) != 1 or layer.lora_variant:
        return False
    name = names[0]
    frozen = all(not weight.requires_grad for weight in base.parameters())
    plain = (
        isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and layer.lora_B[name].bias is None
        and not layer.fan_in_fan_out
    )
    kinds = {
        (weight.dtype, weight.device.type)
        for part in (base, layer.lora_A[name], layer.lora_B[name])
        for weight in part.parameters()
    }
    return frozen and plain and len(kinds) == 1 and kinds.pop()[1] == "cpu"


def _forward(layer: Any, x: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
    names = layer.active_adapters
    usual = (
        arguments or named or layer.disable_adapters or layer.merged or names != list(layer.lora_A)
    )
    if usual or x.dtype != layer.base_layer.weight.dtype:
        return Linear.forward(layer, x, *arguments, **named)
    base, down, up = layer.base_layer, layer.lora_A[names[0]], layer.lora_B[names[0]]
    return _Adapted.apply(
        x, base.weight, base.bias, down.weight, up.weight, layer.scaling[names[0]]
    )


class _Adapted(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed by mypy
    @staticmethod
    @override
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        inner = flat @ down.t()
        result = torch.nn.functional.linear(flat, weight, bias)
        result.addmm_(inner, up.t(), alpha=scale)
        ctx.save_for_backward(flat, inner, weight, down, up)
        ctx.scale, ctx.shape = scale, x.shape
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    @override
    def backward(ctx: Any, *outers: torch.Tensor) -> Any:
        (outer,) = outers
        flat, inner, weight, down, up = ctx.saved_tensors
        outer = outer.reshape(-1, outer.shape[-1])
        towards_inner = (outer @ up).mul_(ctx.scale)
        towards_x = None
        if ctx.needs_input_grad[0]:
            towards_x = (outer @ weight).addmm_(towards_inner, down).view(ctx.shape)
        towards_down = towards_inner.t() @ flat
        towards_up = (outer.t() @ inner).mul_(ctx.scale)
        return towards_x, None, None, towards_down, towards_up, None
