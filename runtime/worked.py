"""Which tools worked for similar tasks before: an index over the solved episodes of the log.

Only episodes count that somebody found solved: a world, a check command or a person. Similar is a task that shares its
words, rare ones more than common ones; its tools come first into view, a few of them, and only those that still exist.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from ..tools_registry.words import words

if TYPE_CHECKING:
    from .episodes.store import EpisodeStore

EPISODES = 500
"""The newest solved ones that are compared."""
TOOLS = 4
_ALIKE = 0.5
"""Cosine from which on two tasks are similar."""


class Worked:
    """The solved tasks of one log."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store

    def tools(self, task: str, known: Container[str]) -> list[str]:
        """Full names of tools that worked for tasks like this one, best first."""
        solved = self._store.solved(limit=EPISODES)
        alike = _alike(task, [text for _, text in solved])
        if not alike:
            return []
        worth: dict[str, float] = defaultdict(float)
        for place, likeness in alike:
            for tool in self._store.tools_called(solved[place][0]):
                if tool in known:
                    worth[tool] += likeness
        return sorted(worth, key=lambda tool: -worth[tool])[:TOOLS]


def _alike(task: str, others: Sequence[str]) -> list[tuple[int, float]]:
    """The texts similar to `task` by number, with the cosine of their words."""
    bags = [Counter(words(text)) for text in others]
    wanted = Counter(words(task))
    if not bags or not wanted:
        return []
    held = Counter(word for bag in [*bags, wanted] for word in bag)
    rarity = {word: math.log(1 + (len(bags) + 1) / count) for word, count in held.items()}
    return [(place, likeness) for place, bag in enumerate(bags) if (likeness := _cosine(wanted, bag, rarity)) >= _ALIKE]


def _cosine(one: Counter[str], other: Counter[str], rarity: dict[str, float]) -> float:
    shared = sum(rarity[word] ** 2 for word in one.keys() & other.keys())
    sizes = [math.sqrt(sum(rarity[word] ** 2 for word in bag)) for bag in (one, other)]
    return shared / (sizes[0] * sizes[1]) if all(sizes) else 0.0
