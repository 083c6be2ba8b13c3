"""Attention over prompts that share a prefix, for processors that multiply bfloat16 matrices fast (AMX).

Forward it is torch's flash kernel: every branch sees the prefix in one call and itself in another, and the two are joined by
their sums of exponents. Backward that kernel is slow in bfloat16, so the five matrix products are written out (Dao et al.,
FlashAttention, 2022, algorithm 4), and the gradients go straight to where they belong instead of through slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tree lies in the flat batch: first its prefix, then blocks of branches of similar length.

    A block is (start, branches, longest): its branches are padded to the longest of them.
    """

    start: int
    prefix: int
    blocks: list[tuple[int, int, int]]

    @property
    def end(self) -> int:
        """One past the last position of the tree."""
        return self.blocks[-1][0] + self.blocks[-1][1] * self.blocks[-1][2] if self.blocks else self.start + self.prefix


class TreeAttention(torch.autograd.Function):
    """`apply(q, k, v, places)`: q (tokens, heads, width), k and v (tokens, shared heads, width); returns q's shape."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, places: Sequence[Place]) -> Tensor:
        """What every position sees of its tree."""
        seen = torch.zeros_like(q)
        sums = q.new_zeros(q.shape[:2], dtype=torch.float32)
        for place in places:
            _see_prefix(q, k, v, place, seen, sums)
            for block in place.blocks:
                _see_itself(q, k, v, block, seen, sums)
        ctx.save_for_backward(q, k, v, seen, sums)
        ctx.places = places
        return seen

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of queries, keys and values."""
        q, k, v, seen, sums = ctx.saved_tensors
        grad = grad.contiguous()
        own = (grad.float() * seen.float()).sum(-1)
        gradients = Gradients(q, k, v, grad, own, sums)
        for place in ctx.places:
            edge = place.start + place.prefix
            gradients.add(place.start, 1, place.prefix, place.start, place.prefix, causal=True)
            gradients.add(edge, 1, place.end - edge, place.start, place.prefix, causal=False)
            for start, count, longest in place.blocks:
                gradients.add(start, count, longest, start, longest, causal=True)
        return gradients.dq, gradients.dk, gradients.dv, None


def _heads(x: Tensor, start: int, count: int, length: int) -> Tensor:
    """Rows of the flat batch as (count, heads, length, width)."""
    return x[start : start + count * length].view(count, length, *x.shape[1:]).transpose(1, 2)


def _see_prefix(q: Tensor, k: Tensor, v: Tensor, place: Place, seen: Tensor, sums: Tensor) -> None:
    group, edge = q.shape[1] // k.shape[1], place.start + place.prefix
    keys, values = (_heads(x, place.start, 1, place.prefix).repeat_interleave(group, 1) for x in (k, v))
    for start, end, causal in ((place.start, edge, True), (edge, place.end, False)):
        if end > start:
            out, total = _flash(_heads(q, start, 1, end - start), keys, values, 0.0, causal)
            seen[start:end] = out[0].transpose(0, 1)
            sums[start:end] = total[0] if total.shape[1] == end - start else total[0].T


def _see_itself(q: Tensor, k: Tensor, v: Tensor, block: tuple[int, int, int], seen: Tensor, sums: Tensor) -> None:
    """Join what the branches of a block see of themselves to what they saw of the prefix."""
    start, count, longest = block
    group, end = q.shape[1] // k.shape[1], start + count * longest
    keys, values = (_heads(x, start, count, longest).repeat_interleave(group, 1) for x in (k, v))
    out, total = _flash(_heads(q, start, count, longest), keys, values, 0.0, True)
    total = total if total.shape[1] == longest else total.transpose(1, 2)
    out, total = out.transpose(1, 2).reshape(end - start, *q.shape[1:]), total.reshape(end - start, -1)
    joined = torch.logaddexp(sums[start:end], total)
    of_prefix, of_itself = ((part - joined).exp()[..., None] for part in (sums[start:end], total))
    seen[start:end] = (seen[start:end] * of_prefix + out * of_itself).to(q.dtype)
    sums[start:end] = joined


def slopes(
    scores: Tensor, grads: Tensor, own: Tensor, sums: Tensor, scale: float, causal_length: int
) -> tuple[Tensor, Tensor]:
    """Attention shares, and the gradient of the scaled scores, from raw products of queries and keys, in their type."""
    share = torch.exp(scores.float() * scale - sums)
    if causal_length:
        row = torch.arange(scores.shape[1], device=scores.device) % causal_length
        share = torch.where(torch.arange(scores.shape[2], device=scores.device)[None] <= row[:, None], share, 0.0)
    return share.to(scores.dtype), (share * (grads.float() - own) * scale).to(scores.dtype)


class Gradients:
    """The gradients of one batch, added to by pairs of a run of queries and a run of keys."""

    slopes: ClassVar[Callable[..., tuple[Tensor, Tensor]]] = staticmethod(slopes)

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, grad: Tensor, own: Tensor, sums: Tensor) -> None:
        self.q, self.k, self.v, self.grad, self.own, self.sums = q, k, v, grad, own, sums
        self.dq, self.dk, self.dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)

    def add(self, rows: int, count: int, length: int, keys: int, width: int, *, causal: bool) -> None:
        """Queries from `rows` (`count` runs of `length`) against keys from `keys` (`count` runs of `width`)."""
        if not length:
            return
        q, grad = (self._grouped(x, rows, count, length) for x in (self.q, self.grad))
        own, sums = (self._grouped(x[..., None], rows, count, length) for x in (self.own, self.sums))
        k, v = (_heads(x, keys, count, width).reshape(-1, width, x.shape[2]) for x in (self.k, self.v))
        share, slope = self.slopes(q @ k.mT, grad @ v.mT, own, sums, q.shape[-1] ** -0.5, length if causal else 0)
        _heads(self.dq, rows, count, length).add_((slope @ k).view(count, -1, length, q.shape[-1]))
        _heads(self.dk, keys, count, width).add_((slope.mT @ q).view(count, -1, width, q.shape[-1]))
        _heads(self.dv, keys, count, width).add_((share.mT @ grad).view(count, -1, width, q.shape[-1]))

    def _grouped(self, x: Tensor, start: int, count: int, length: int) -> Tensor:
        """Query rows as (count x shared heads, group x length, width): heads that share keys are rows of one product."""
        shared = self.k.shape[1]
        return _heads(x, start, count, length).reshape(count * shared, -1, x.shape[-1])


def speed_up() -> None:
    """Compile what lies between the products of the backward pass, for this process."""
    Gradients.slopes = staticmethod(torch.compile(slopes, dynamic=True))
