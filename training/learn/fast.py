"""The hot modules of a layer with hand-written backward passes: the same numbers, less memory, fewer passes over it.

A LoRA layer of peft, an RMS norm and a gated MLP are swapped in place while a `Runner` works, wherever they are of the plain
kind (frozen base, one active adapter, no dropout, no DoRA); all others run as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Linear:
    """A frozen linear layer, with low-rank factors or without."""

    weight: Tensor
    bias: Tensor | None
    down: Tensor | None = None
    """Rank x inputs."""
    up: Tensor | None = None
    """Outputs x rank."""
    scale: float = 1.0


@contextmanager
def fast_modules(root: nn.Module) -> Iterator[None]:
    """Swap the forward passes of all plain modules below `root`, and put them back at the end."""
    changed: list[nn.Module] = []
    try:
        inside: set[int] = set()
        for module in root.modules():
            forward = None if id(module) in inside else _forward_for(module)
            if forward is not None:
                module.forward = forward
                changed.append(module)
                inside.update(id(child) for child in module.modules() if child is not module)
        yield
    finally:
        for module in changed:
            del module.forward


def _forward_for(module: nn.Module) -> Callable[..., Tensor] | None:
    name = type(module).__name__
    if name.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
        weight, epsilon = cast("Tensor", module.weight), float(cast("float", module.variance_epsilon))
        return None if weight.requires_grad else lambda hidden: _applied(_Norm, hidden, weight, epsilon)
    if name in ("LlamaMLP", "Qwen2MLP", "Qwen3MLP") and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
        parts = [linear_of(getattr(module, part)) for part in ("gate_proj", "up_proj", "down_proj")]
        if all(part is not None for part in parts):
            return lambda hidden: mlp(hidden, *parts)  # type: ignore[arg-type]
    if hasattr(module, "lora_A"):
        part = linear_of(module)
        if part is not None:
            return lambda hidden: linear(hidden, part)
    return None


def linear_of(module: Any) -> Linear | None:
    """The plain linear layer that a module is, or None where it is anything more."""
    if not hasattr(module, "lora_A"):
        return Linear(module.weight, module.bias) if _frozen(module) else None
    base = module.get_base_layer()
    if not _frozen(base) or module.merged:
        return None
    if module.disable_adapters:
        return Linear(base.weight, base.bias)
    active = [name for name in module.active_adapters if name in module.lora_A]
    if len(active) != 1 or getattr(module, "lora_variant", {}).get(active[0]) is not None:
        return None
    name = active[0]
    dropout, down, up = module.lora_dropout[name], module.lora_A[name], module.lora_B[name]
    drops = not isinstance(dropout, nn.Identity) and dropout.p > 0 and dropout.training
    if drops or type(down) is not nn.Linear or up.bias is not None or getattr(module, "use_dora", {}).get(name, False):
        return None
    return Linear(base.weight, base.bias, down.weight, up.weight, float(module.scaling[name]))


def _frozen(module: Any) -> bool:
    if type(module) is not nn.Linear or module.weight.requires_grad:
        return False
    return module.bias is None or not module.bias.requires_grad


def linear(hidden: Tensor, part: Linear) -> Tensor:
    """hidden @ (weight + scale * up @ down)."""
    if part.down is None:
        return F.linear(hidden, part.weight, part.bias)
    return _applied(_LowRank, hidden, part.weight, part.bias, part.down, part.up, part.scale)


def mlp(hidden: Tensor, gate: Linear, up: Linear, down: Linear) -> Tensor:
    """down(silu(gate(hidden)) * up(hidden)), of which only the two products are kept."""
    factors = [factor for part in (gate, up, down) for factor in (part.down, part.up)]
    return _applied(_Gated, hidden, gate, up, down, *factors)


def _applied(function: Any, *arguments: Any) -> Tensor:
    return cast("Tensor", function.apply(*arguments))


def _product(hidden: Tensor, part: Linear) -> tuple[Tensor, Tensor | None]:
    """The output of a linear layer, and its low-rank middle."""
    out = F.linear(hidden, part.weight, part.bias)
    if part.down is None or part.up is None:
        return out, None
    middle = hidden @ part.down.to(hidden.dtype).T
    return out.addmm_(middle, part.up.to(hidden.dtype).T, alpha=part.scale), middle


def _product_back(
    pull: Tensor, hidden: Tensor, middle: Tensor | None, part: Linear, into: Tensor | None = None, want: bool = True
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Derivatives by the input (added to `into` where given) and by both factors."""
    out = None
    if want:
        out = pull @ part.weight if into is None else into.addmm_(pull, part.weight)
    if part.down is None or part.up is None or middle is None:
        return out, None, None
    low = (pull @ part.up.to(pull.dtype)).mul_(part.scale)
    if out is not None:
        out.addmm_(low, part.down.to(pull.dtype))
    to_down, to_up = low.T @ hidden, (pull.T @ middle).mul_(part.scale)
    return out, to_down.to(part.down.dtype), to_up.to(part.up.dtype)


class _LowRank(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        part = Linear(weight, bias, down, up, scale)
        out, middle = _product(hidden.reshape(-1, hidden.shape[-1]), part)
        ctx.scale, ctx.bias = scale, bias
        ctx.save_for_backward(hidden, weight, down, up, middle)
        return out.view(*hidden.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, down, up, middle = ctx.saved_tensors
        part = Linear(weight, None, down, up, ctx.scale)
        flat = pull.reshape(-1, pull.shape[-1])
        out, to_down, to_up = _product_back(
            flat, hidden.reshape(-1, hidden.shape[-1]), middle, part, want=ctx.needs_input_grad[0]
        )
        return (None if out is None else out.view(hidden.shape)), None, None, to_down, to_up, None


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = hidden.float()
        scale = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(wide.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(hidden, weight, scale)
        out: Tensor = weight * (wide * scale).to(hidden.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, scale = ctx.saved_tensors
        wide, pull = hidden.float(), (pull * weight).float()
        along = (pull * wide).mean(-1, keepdim=True).mul_(scale.pow(3))
        return pull.mul_(scale).addcmul_(wide, along, value=-1).to(hidden.dtype), None, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, gate: Linear, up: Linear, down: Linear, *factors: Tensor | None) -> Tensor:
        flat = hidden.reshape(-1, hidden.shape[-1])
        opened, opened_middle = _product(flat, gate)
        raised, raised_middle = _product(flat, up)
        out, closed_middle = _product(F.silu(opened).mul_(raised), down)
        ctx.parts = (gate, up, down)
        ctx.save_for_backward(hidden, opened, raised, opened_middle, raised_middle, closed_middle)
        return out.view(hidden.shape)

    @staticmethod
    def backward(ctx: Any, pull: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, down = ctx.parts
        hidden, opened, raised, opened_middle, raised_middle, closed_middle = ctx.saved_tensors
        flat, pull = hidden.reshape(-1, hidden.shape[-1]), pull.reshape(-1, hidden.shape[-1])
        share = torch.sigmoid(opened)
        silu = opened * share
        inner, *of_down = _product_back(pull, silu * raised, closed_middle, down)
        assert inner is not None
        to_gate = share.add_(silu * (1 - share)).mul_(inner).mul_(raised)
        to_up = inner.mul_(silu)
        want = ctx.needs_input_grad[0]
        out, *of_gate = _product_back(to_gate, flat, opened_middle, gate, want=want)
        out, *of_up = _product_back(to_up, flat, raised_middle, up, into=out, want=want)
        return (None if out is None else out.view(hidden.shape), None, None, None, *of_gate, *of_up, *of_down)
