"""Attention over a prefix tree: every token sees its own path from the root, and nothing of its siblings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .tree import Node, Part, partition

NAME = "atlas_prefix_tree"
_DENSE_TOKENS = 256
"""Small nodes up to this many tokens together are attended to at once under a mask of the tree."""
_QUERY_TOKENS = 512
"""Queries of a long node are taken in chunks, so that little is computed above the diagonal."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some queries of a part, the keys that they see, and which query sees which key."""

    start: int
    end: int
    keys: tuple[Span, ...]
    """Spans of the keys: those of the path before the part first, then those of the part."""
    mask: Tensor | None
    """Added to the scores; None where the keys are the queries themselves and the pattern is causal."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How attention runs for one part of a tree; the same in every layer."""

    pieces: tuple[Piece, ...]
    offsets: dict[int, int]
    """Where the tokens of a node (by index) begin in the part."""


def plan(part: Part, before: int, device: torch.device, dtype: torch.dtype) -> Plan:
    """The plan of a part whose path before it has so many tokens."""
    offsets, total = {}, 0
    for node in part.nodes:
        offsets[node.index] = total
        total += node.size
    pieces: list[Piece] = []
    groups = [Part(part.nodes)] if part.inner else partition(_tops(part.nodes), _DENSE_TOKENS)
    for nodes, context in _with_context(groups, (), offsets):
        spans = _merged([(0, before), *((start + before, end + before) for start, end in context)])
        pieces += _pieces(nodes, spans, offsets, before, device, dtype)
    return Plan(tuple(sorted(pieces, key=lambda piece: piece.start)), offsets)


def attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """What the layers of a transformers model call as their attention; the plan comes with the options."""
    layout: Plan = options["tree_plan"]
    groups = query.shape[1] // key.shape[1]
    outputs = []
    for piece in layout.pieces:
        keys, values = (_repeated(_taken(states, piece.keys), groups) for states in (key, value))
        outputs.append(
            scaled_dot_product_attention(
                query[:, :, piece.start : piece.end], keys, values, attn_mask=piece.mask, is_causal=piece.mask is None,
                scale=options.get("scaling"),
            ).transpose(1, 2)
        )  # fmt: skip
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)).contiguous(), None


def _taken(states: Tensor, spans: Sequence[Span]) -> Tensor:
    slices = [states if (start, end) == (0, states.shape[2]) else states[:, :, start:end] for start, end in spans]
    return slices[0] if len(slices) == 1 else torch.cat(slices, 2)


def _repeated(states: Tensor, groups: int) -> Tensor:
    if groups == 1:
        return states
    batch, heads, length, size = states.shape
    return states[:, :, None].expand(batch, heads, groups, length, size).reshape(batch, heads * groups, length, size)


def _tops(nodes: Sequence[Node]) -> list[Node]:
    """The nodes of a part whose parents are outside it."""
    tops: list[Node] = []
    for node in nodes:
        if not tops or node.index >= tops[-1].subtree_end:
            tops.append(node)
    return tops


def _with_context(
    groups: Sequence[Part], context: tuple[Span, ...], offsets: dict[int, int]
) -> Iterator[tuple[list[Node], tuple[Span, ...]]]:
    """Groups of nodes with the spans of their ancestors inside the part."""
    for group in groups:
        yield group.nodes, context
        if group.inner:
            node = group.nodes[0]
            span = (offsets[node.index], offsets[node.index] + node.size)
            yield from _with_context(group.inner, (*context, span), offsets)


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if start == end:
            continue
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _pieces(
    nodes: Sequence[Node], context: Sequence[Span], offsets: dict[int, int], before: int, device: torch.device,
    dtype: torch.dtype,
) -> Iterator[Piece]:  # fmt: skip
    """One piece for small nodes; several for the chunks of a long one."""
    first, length = offsets[nodes[0].index], sum(node.size for node in nodes)
    chunk = _QUERY_TOKENS if len(nodes) == 1 else length
    last = _last_seen_by(nodes, offsets, first)
    width = sum(end - start for start, end in context)
    for start in range(0, length, chunk):
        end = min(length, start + chunk)
        keys = _merged([*context, (before + first, before + first + end)])
        if not width and not start and len(nodes) == 1:
            yield Piece(first, first + end, tuple(keys), None)
            continue
        query, key = torch.arange(start, end)[:, None], torch.arange(end)[None]
        visible = (key <= query) & (query < last[None, :end])
        mask = torch.zeros(end - start, width + end, dtype=dtype)
        mask[:, width:].masked_fill_(~visible, float("-inf"))
        yield Piece(first + start, first + end, tuple(keys), mask.to(device))


def _last_seen_by(nodes: Sequence[Node], offsets: dict[int, int], first: int) -> Tensor:
    """For each token of the group one past the last token (from the group's start) that has it in its path."""
    ends = []
    for node in nodes:
        below = [other for other in nodes if node.index <= other.index < node.subtree_end]
        end = offsets[below[-1].index] + below[-1].size - first
        ends.append(torch.full((node.size,), end))
    return torch.cat(ends)
