"""Prefix trees over rows: what sequences have in common becomes one node, and is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Node:
    """A run of tokens that the same sequences go through."""

    ids: Ids
    start: int
    """Position of its first token in the sequence."""
    index: int
    """Its place among all nodes of the forest."""
    children: list[Node] = field(default_factory=list)
    subtree_tokens: int = 0
    subtree_end: int = 0
    """One past the index of the last node below it (nodes are numbered depth first)."""

    @property
    def size(self) -> int:
        """Tokens of the node alone."""
        return len(self.ids)


@dataclass(slots=True)
class Forest:
    """All trees of one step."""

    roots: list[Node]
    nodes: list[Node]
    paths: list[list[Node]]
    """For each sequence the nodes it goes through, from the root."""

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return sum(node.size for node in self.nodes)


def grow(sequences: Sequence[Sequence[int]], *, share: bool = True) -> Forest:
    """The forest of some sequences; without sharing every sequence is a tree of its own."""
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    forest = Forest([], [], [[] for _ in arrays])
    everything = [number for number, array in enumerate(arrays) if len(array)]
    groups = _by_token(arrays, everything, 0) if share else [[number] for number in everything]
    pending: list[tuple[list[int], int, Node | None]] = [(group, 0, None) for group in reversed(groups)]
    while pending:  # depth first, so that the nodes below a node are numbered right after it
        group, start, parent = pending.pop()
        end = _common_end(arrays, group, start)
        node = Node(arrays[group[0]][start:end], start, len(forest.nodes))
        forest.nodes.append(node)
        (forest.roots if parent is None else parent.children).append(node)
        for number in group:
            forest.paths[number].append(node)
        longer = [number for number in group if len(arrays[number]) > end]
        pending += [(part, end, node) for part in reversed(_by_token(arrays, longer, end))]
    for node in reversed(forest.nodes):
        node.subtree_tokens = node.size + sum(child.subtree_tokens for child in node.children)
        node.subtree_end = max((child.subtree_end for child in node.children), default=node.index + 1)
    return forest


def _by_token(arrays: Sequence[Ids], group: Sequence[int], place: int) -> list[list[int]]:
    parts: dict[int, list[int]] = {}
    for number in group:
        parts.setdefault(int(arrays[number][place]), []).append(number)
    return list(parts.values())


def _common_end(arrays: Sequence[Ids], group: Sequence[int], start: int) -> int:
    """Where the first sequence of the group stops being like all others, or one of them ends."""
    first = arrays[group[0]]
    end = min(len(arrays[number]) for number in group)
    for number in group[1:]:
        differs = np.nonzero(arrays[number][start:end] != first[start:end])[0]
        if len(differs):
            end = start + int(differs[0])
    return end


@dataclass(slots=True, eq=False)
class Part:
    """Nodes that are computed together: whole subtrees, or one node whose children are parts of their own."""

    nodes: list[Node]
    """Depth first."""
    inner: list[Part] = field(default_factory=list)
    """Parts that go on from its (only) node."""

    @property
    def tokens(self) -> int:
        """Tokens computed at once."""
        return sum(node.size for node in self.nodes)


def partition(siblings: Sequence[Node], limit: int) -> list[Part]:
    """Siblings and all below them in parts of at most `limit` tokens; only a single node may be larger."""
    parts: list[Part] = []
    room = 0
    for node in siblings:
        if node.subtree_tokens <= limit or not node.children:
            if not parts or node.subtree_tokens > room:
                parts.append(Part([]))
                room = limit
            parts[-1].nodes += _below(node)
            room -= node.subtree_tokens
        else:
            parts.append(Part([node], partition(node.children, limit)))
            room = 0
    return parts


def _below(node: Node) -> list[Node]:
    nodes, pending = [], [node]
    while pending:
        nodes.append(pending.pop())
        pending += reversed(nodes[-1].children)
    return nodes
