"""Attention over trees against plain attention in double precision, with a mask that says who may see what."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from atlas.training.nano.attention import Place, TreeAttention

HEADS, SHARED, WIDTH = 6, 2, 16
PLACES = [Place(0, 37, [(37, 3, 8), (61, 2, 13)]), Place(87, 20, [(107, 1, 5)]), Place(112, 9, [])]
POSITIONS = PLACES[-1].end


def visible() -> Tensor:
    """(positions, positions): which row may see which."""
    mask = torch.zeros(POSITIONS, POSITIONS, dtype=torch.bool)
    for place in PLACES:
        prefix = slice(place.start, place.start + place.prefix)
        mask[prefix, prefix] = True
        for start, count, longest in place.blocks:
            for first in range(start, start + count * longest, longest):
                branch = slice(first, first + longest)
                mask[branch, prefix] = True
                mask[branch, branch] = True
    return mask.tril()


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    keys, values = (x.repeat_interleave(HEADS // SHARED, 1).transpose(0, 1) for x in (k, v))
    return F.scaled_dot_product_attention(q.transpose(0, 1), keys, values, attn_mask=visible()).transpose(0, 1)


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
def test_tree_attention_and_its_gradients_equal_plain_attention(kind: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(POSITIONS, heads, WIDTH).to(kind) for heads in (HEADS, SHARED, SHARED)]
    ours, theirs = ([x.to(to, copy=True).requires_grad_() for x in inputs] for to in (kind, torch.float64))
    grad = torch.randn(POSITIONS, HEADS, WIDTH).to(kind)
    seen, wanted = TreeAttention.apply(*ours, PLACES), plain(*theirs)
    seen.backward(grad)
    wanted.backward(grad.double())
    torch.testing.assert_close(seen.double(), wanted, atol=tolerance, rtol=tolerance)
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.grad is not None and reference.grad is not None
        torch.testing.assert_close(mine.grad.double(), reference.grad, atol=tolerance, rtol=tolerance)
