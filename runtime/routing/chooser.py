"""Choosing for a task: the pool, what is remembered, and the servers that the task is likely to need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .encoder import WORDS
from .memory import Memory, Notify
from .outcomes import Pair
from .router import COST_WEIGHT, Decision

if TYPE_CHECKING:
    from pathlib import Path

    from ...tools_registry.registry import Registry
    from ..episodes.store import EpisodeStore
    from .pool import Pool

SERVERS = 6
"""Servers whose tools a task is shown first and that are weighed with every model."""


class Chooser:
    """Decides for tasks, and learns from episodes."""

    def __init__(
        self, pool: Pool, store: EpisodeStore, home: Path | None, *, encoder: str = WORDS, cost_weight: float = COST_WEIGHT
    ) -> None:
        self.pool, self.cost_weight = pool.workers, cost_weight
        self.whole = pool
        """With the models that only score."""
        self.memory = Memory(home, store, self.pool, encoder)
        self.loaded = False

    def load(self, notify: Notify | None = None) -> None:
        """Read what is remembered."""
        self.memory.load(notify)
        self.loaded = True

    def decide(self, task: str, servers: Sequence[str] = (), *, without: frozenset[str] = frozenset()) -> Decision:
        """The best pair for a task, models in `without` left out."""
        models = [name for name in self.pool if name not in without]
        pairs = [Pair(model, server) for model in models for server in servers or [""]]
        rates = {name: one.rates for name, one in self.pool.items()}
        return self.memory.router.decide(self.memory.vector(task), pairs, rates, cost_weight=self.cost_weight)


def servers_for(task: str, registry: Registry) -> list[str]:
    """The servers of the tools that a task is shown first, best first."""
    shown = registry.first_view(task, minimum=1)
    return list(dict.fromkeys(tool.server for tool in shown))[:SERVERS]
