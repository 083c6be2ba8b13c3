"""The Qwen3 architecture in plain torch, over prompts that share a prefix.

A batch is a set of trees: one prefix (system text, servers, stubs) and several branches (task, program, result, ...).
The prefix is computed once; every branch attends to it and to itself, which is exactly what it would see alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from . import attention
from .attention import Place, TreeAttention
from .config import ModelConfig


@dataclass(frozen=True, slots=True)
class Tree:
    """Token ids of a shared prefix and its branches; `targets` marks the branch tokens that carry loss."""

    prefix: list[int]
    branches: list[list[int]]
    targets: list[list[bool]]

    @property
    def size(self) -> int:
        """Positions that the model computes."""
        return len(self.prefix) + sum(len(branch) for branch in self.branches)


@dataclass(frozen=True, slots=True)
class Flat:
    """Several trees laid out flat, as plain arrays that another process can make."""

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    places: list[Place]
    rows: NDArray[np.int32]
    """The rows that predict a target, `labels` being the targets and `branch_of_row` the branch each belongs to."""
    labels: NDArray[np.int32]
    branch_of_row: NDArray[np.int32]
    """Number of the branch, counted over all trees in their own order."""
    branches: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A `Flat` on the device of the model, with a mask for each block: what its branches may see."""

    ids: Tensor
    positions: Tensor
    places: list[Place]
    masks: list[list[Tensor]]
    """For each tree and block (longest, prefix + longest)."""
    rows: Tensor
    labels: Tensor
    branch_of_row: Tensor
    branches: int


BLOCK = 6
"""Branches in a block at most, and how much of it may be padding: less padding costs more calls."""
PADDING = 0.12


def pack(trees: list[Tree], device: str = "cpu") -> Batch:
    """The trees as a batch on `device`."""
    return to_batch(flatten(trees), device)


def flatten(trees: list[Tree]) -> Flat:
    """Lay trees out flat. The first token of a branch is predicted by the last one of its prefix."""
    ids: list[int] = []
    positions: list[int] = []
    places: list[Place] = []
    targets: list[tuple[int, int, int]] = []
    seen = 0
    for tree in trees:
        start, width = len(ids), len(tree.prefix)
        ids += tree.prefix
        positions += range(width)
        blocks = []
        for members in _blocks(tree.branches):
            longest = len(tree.branches[members[-1]])
            blocks.append((len(ids), len(members), longest))
            for number in members:
                branch, first = tree.branches[number], len(ids)
                for offset in (place for place, wanted in enumerate(tree.targets[number]) if wanted):
                    row = first + offset - 1 if offset else start + width - 1
                    targets.append((row, branch[offset], seen + number))
                ids += branch + [0] * (longest - len(branch))
                positions += range(width, width + longest)
        seen += len(tree.branches)
        places.append(Place(start, width, blocks))
    rows, labels, owners = (np.array(column, dtype=np.int32) for column in zip(*targets, strict=True))
    return Flat(np.array(ids, np.int32), np.array(positions, np.int32), places, rows, labels, owners, seen)


def _blocks(branches: list[list[int]]) -> list[list[int]]:
    """Numbers of the branches by length, cut where a block would be full or padded too much."""
    blocks: list[list[int]] = [[]]
    held = 0
    for number in sorted(range(len(branches)), key=lambda number: len(branches[number])):
        size, count = len(branches[number]), len(blocks[-1]) + 1
        if count > BLOCK or size * count - held - size > PADDING * size * count:
            blocks.append([])
            held = 0
        blocks[-1].append(number)
        held += size
    return blocks


def to_batch(flat: Flat, device: str = "cpu") -> Batch:
    """The arrays as tensors on `device`."""
    ids, positions, rows, labels, owners = (
        torch.from_numpy(array).to(device, non_blocking=True).long()
        for array in (flat.ids, flat.positions, flat.rows, flat.labels, flat.branch_of_row)
    )
    masks = [[_mask(longest, place.prefix, device) for _, _, longest in place.blocks] for place in flat.places]
    return Batch(ids, positions, flat.places, masks, rows, labels, owners, flat.branches)


def _mask(longest: int, prefix: int, device: str) -> Tensor:
    return torch.ones(longest, prefix + longest, dtype=torch.bool, device=device).tril(prefix)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of (tokens, heads, head width), halves convention."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


def attend(q: Tensor, k: Tensor, v: Tensor, batch: Batch) -> Tensor:
    """Attention within each tree of the flat batch; `q` is (tokens, heads, head width), `k` and `v` of shared heads."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        return TreeAttention.apply(q, k, v, batch.places).flatten(1)  # type: ignore[no-any-return, no-untyped-call]
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    trees = zip(batch.places, batch.masks, strict=True)
    return torch.cat([piece for place, masks in trees for piece in _attend_tree(q, k, v, place, masks)]).flatten(1)


def _attend_tree(q: Tensor, k: Tensor, v: Tensor, place: Place, masks: list[Tensor]) -> list[Tensor]:
    prefix = slice(place.start, place.start + place.prefix)
    qp, kp, vp = (t[prefix].transpose(0, 1)[None] for t in (q, k, v))
    seen = [F.scaled_dot_product_attention(qp, kp, vp, is_causal=True)[0].transpose(0, 1)]
    for (start, count, longest), mask in zip(place.blocks, masks, strict=True):
        block = slice(start, start + count * longest)
        qb, kb, vb = (t[block].view(count, longest, *t.shape[1:]).transpose(1, 2) for t in (q, k, v))
        keys = torch.cat([kp.expand(count, -1, -1, -1), kb], dim=2)
        values = torch.cat([vp.expand(count, -1, -1, -1), vb], dim=2)
        own = F.scaled_dot_product_attention(qb, keys, values, attn_mask=mask)
        seen.append(own.transpose(1, 2).flatten(0, 1))
    return seen


class Norm(nn.RMSNorm):
    """Computed in the type of its weights, whatever type the product before it came in."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` with rows of unit mean square, times the weights."""
        return super().forward(x.to(self.weight.dtype))


class Block(nn.Module):
    """One layer: grouped-query attention with normalised heads, then SwiGLU, each added to its input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.shared = config.heads, config.key_value_heads
        inner, epsilon = config.heads * config.head_width, config.norm_epsilon
        self.input_layernorm = Norm(config.width, eps=epsilon)
        self.q_proj = nn.Linear(config.width, inner, bias=False)
        self.k_proj = nn.Linear(config.width, self.shared * config.head_width, bias=False)
        self.v_proj = nn.Linear(config.width, self.shared * config.head_width, bias=False)
        self.o_proj = nn.Linear(inner, config.width, bias=False)
        self.q_norm = Norm(config.head_width, eps=epsilon)
        self.k_norm = Norm(config.head_width, eps=epsilon)
        self.post_attention_layernorm = Norm(config.width, eps=epsilon)
        self.gate_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.up_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.down_proj = nn.Linear(config.feed_forward, config.width, bias=False)

    def before(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of every position."""
        h = self.input_layernorm(x)
        q = rotate(self.q_norm(self.q_proj(h).view(len(x), self.heads, -1)), cos, sin)
        k = rotate(self.k_norm(self.k_proj(h).view(len(x), self.shared, -1)), cos, sin)
        v = self.v_proj(h).view(len(x), self.shared, -1)
        return q.to(v.dtype), k.to(v.dtype), v

    def after(self, x: Tensor, seen: Tensor) -> Tensor:
        """Add what attention saw, then the feed-forward network."""
        x = x + self.o_proj(seen)
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, batch: Batch) -> Tensor:
        """The whole layer on a flat batch (tokens, width)."""
        return self.after(x, attend(*self.before(x, cos, sin), batch))


class Nano(nn.Module):
    """The policy network."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm(config.width, eps=config.norm_epsilon)
        powers = torch.arange(0, config.head_width, 2).float() / config.head_width
        angles = torch.outer(torch.arange(config.context_tokens).float(), config.rotary_base**-powers)
        self.register_buffer("angles", torch.cat([angles, angles], dim=-1), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        deep = (2 * self.config.layers) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                scale = 0.02 if "embed" in name else parameter.shape[1] ** -0.5
                nn.init.normal_(parameter, std=scale * (deep if "o_proj" in name or "down_proj" in name else 1.0))

    def speed_up(self) -> None:
        """Compile what lies between the matrix products; the shapes there vary in few dimensions."""
        attention.speed_up()
        for layer in self.layers:
            for part in ("before", "after"):
                setattr(layer, part, torch.compile(getattr(layer, part), dynamic=True))

    def hidden(self, batch: Batch) -> Tensor:
        """Last hidden states of all positions (tokens, width)."""
        angles = self.angles[batch.positions][:, None]  # type: ignore[index]
        x = self.embed_tokens(batch.ids)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin, batch)
        return self.norm(x)  # type: ignore[no-any-return]

    def logits(self, batch: Batch) -> Tensor:
        """Logits of the rows that predict a target only: the head is a third of the work otherwise."""
        return F.linear(self.hidden(batch)[batch.rows], self.embed_tokens.weight)
