"""The Qwen3 architecture in plain torch, over prompts that share a prefix.

A batch is a set of trees: one prefix (system text, servers, stubs) and several branches (task, program, result, ...).
The prefix is computed once; every branch attends to it and to itself, which is exactly what it would see alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
class Group:
    """Branches of similar length, padded to the longest and laid out as one block of the flat batch."""

    start: int
    count: int
    longest: int
    mask: Tensor
    """(longest, prefix + longest): what a branch position may see."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one tree lies in the flat batch: first its prefix, then its groups of branches."""

    start: int
    prefix: int
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Batch:
    """Flat ids and positions of several trees, with the rows that predict a target and the targets themselves."""

    ids: Tensor
    positions: Tensor
    layouts: list[Layout]
    rows: Tensor
    labels: Tensor
    branch_of_row: Tensor
    """Number of the branch, counted over all trees in their own order."""
    branches: int


GROUP = 4
"""Branches in a block: more would waste padding, fewer would waste calls."""


def pack(trees: list[Tree], device: str = "cpu") -> Batch:
    """Lay trees out flat. The first token of a branch is predicted by the last one of its prefix."""
    ids: list[int] = []
    positions: list[int] = []
    layouts: list[Layout] = []
    targets: list[tuple[int, int, int]] = []
    seen = 0
    for tree in trees:
        start, width = len(ids), len(tree.prefix)
        ids += tree.prefix
        positions += range(width)
        groups = []
        order = sorted(range(len(tree.branches)), key=lambda number: len(tree.branches[number]))
        for members in (order[first : first + GROUP] for first in range(0, len(order), GROUP)):
            longest = len(tree.branches[members[-1]])
            groups.append(Group(len(ids), len(members), longest, _mask(longest, width, device)))
            for number in members:
                branch, first = tree.branches[number], len(ids)
                for offset in (place for place, wanted in enumerate(tree.targets[number]) if wanted):
                    row = first + offset - 1 if offset else start + width - 1
                    targets.append((row, branch[offset], seen + number))
                ids += branch + [0] * (longest - len(branch))
                positions += range(width, width + longest)
        seen += len(tree.branches)
        layouts.append(Layout(start, width, groups))
    rows, labels, owners = (torch.tensor(column, device=device) for column in zip(*targets, strict=True))
    return Batch(
        torch.tensor(ids, device=device), torch.tensor(positions, device=device), layouts, rows, labels, owners, seen
    )


def _mask(longest: int, prefix: int, device: str) -> Tensor:
    own = torch.ones(longest, longest, dtype=torch.bool).tril()
    return torch.cat([torch.ones(longest, prefix, dtype=torch.bool), own], dim=1).to(device)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of (tokens, heads, head width), halves convention."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


def attend(q: Tensor, k: Tensor, v: Tensor, layouts: list[Layout]) -> Tensor:
    """Attention within each tree of the flat batch; `q`, `k`, `v` are (tokens, heads, head width)."""
    return torch.cat([piece for layout in layouts for piece in _attend_tree(q, k, v, layout)]).flatten(1)


def _attend_tree(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> list[Tensor]:
    prefix = slice(layout.start, layout.start + layout.prefix)
    qp, kp, vp = (t[prefix].transpose(0, 1)[None] for t in (q, k, v))
    seen = [F.scaled_dot_product_attention(qp, kp, vp, is_causal=True)[0].transpose(0, 1)]
    for group in layout.groups:
        block = slice(group.start, group.start + group.count * group.longest)
        shape = (group.count, group.longest)
        qb, kb, vb = (t[block].view(*shape, *t.shape[1:]).transpose(1, 2) for t in (q, k, v))
        keys = torch.cat([kp.expand(group.count, -1, -1, -1), kb], dim=2)
        values = torch.cat([vp.expand(group.count, -1, -1, -1), vb], dim=2)
        own = F.scaled_dot_product_attention(qb, keys, values, attn_mask=group.mask)
        seen.append(own.transpose(1, 2).flatten(0, 1))
    return seen


class Block(nn.Module):
    """One layer: grouped-query attention with normalised heads, then SwiGLU, each added to its input."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads, self.shared = config.heads, config.key_value_heads
        inner, epsilon = config.heads * config.head_width, config.norm_epsilon
        self.input_layernorm = nn.RMSNorm(config.width, eps=epsilon)
        self.q_proj = nn.Linear(config.width, inner, bias=False)
        self.k_proj = nn.Linear(config.width, self.shared * config.head_width, bias=False)
        self.v_proj = nn.Linear(config.width, self.shared * config.head_width, bias=False)
        self.o_proj = nn.Linear(inner, config.width, bias=False)
        self.q_norm = nn.RMSNorm(config.head_width, eps=epsilon)
        self.k_norm = nn.RMSNorm(config.head_width, eps=epsilon)
        self.post_attention_layernorm = nn.RMSNorm(config.width, eps=epsilon)
        self.gate_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.up_proj = nn.Linear(config.width, config.feed_forward, bias=False)
        self.down_proj = nn.Linear(config.feed_forward, config.width, bias=False)

    def before(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of every position, keys and values repeated for all heads."""
        h = self.input_layernorm(x)
        q = rotate(self.q_norm(self.q_proj(h).view(len(x), self.heads, -1)), cos, sin)
        k = rotate(self.k_norm(self.k_proj(h).view(len(x), self.shared, -1)), cos, sin)
        v = self.v_proj(h).view(len(x), self.shared, -1)
        group = self.heads // self.shared
        return q, k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)

    def after(self, x: Tensor, seen: Tensor) -> Tensor:
        """Add what attention saw, then the feed-forward network."""
        x = x + self.o_proj(seen)
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, layouts: list[Layout]) -> Tensor:
        """The whole layer on a flat batch (tokens, width)."""
        return self.after(x, attend(*self.before(x, cos, sin), layouts))


class Nano(nn.Module):
    """The policy network."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_epsilon)
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
        """Compile what lies between the attentions; the shapes there vary in one dimension only."""
        for layer in self.layers:
            for part in ("before", "after"):
                setattr(layer, part, torch.compile(getattr(layer, part), dynamic=True))

    def hidden(self, batch: Batch) -> Tensor:
        """Last hidden states of all positions (tokens, width)."""
        angles = self.angles[batch.positions][:, None]  # type: ignore[index]
        x = self.embed_tokens(batch.ids)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin, batch.layouts)
        return self.norm(x)  # type: ignore[no-any-return]

    def logits(self, batch: Batch) -> Tensor:
        """Logits of the rows that predict a target only: the head is a third of the work otherwise."""
        return F.linear(self.hidden(batch)[batch.rows], self.embed_tokens.weight)
