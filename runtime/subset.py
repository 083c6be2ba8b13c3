"""A part of the toolspace: some servers or tools, as if there were no others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from ..tools_registry.cards import Card
    from ..tools_registry.registry import Registry, ServerInfo
    from ..tools_registry.search import Hit
    from ..tools_registry.tool import Tool

_LOOKED_AT = 200
"""Hits of the whole toolspace among which those of the part are found."""


class Subset:
    """The registry as a run sees it that may call only some of its tools; calls go to the registry itself."""

    def __init__(self, registry: Registry, only: Collection[str]) -> None:
        self._registry, self._only = registry, frozenset(only)
        self._of: Mapping[str, Card] | None = None
        self._cards: dict[str, Card] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    @property
    def cards(self) -> Mapping[str, Card]:
        """Those of the part; the same object until a tool changes."""
        whole = self._registry.cards
        if self._of is not whole:
            self._of, self._cards = whole, {name: card for name, card in whole.items() if self._has(name)}
        return self._cards

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Those of the part."""
        tools = self._registry.tools
        return {name: tools[name] for name in self.cards}

    @property
    def servers(self) -> Sequence[ServerInfo]:
        """Servers with a tool in the part, which count those only."""
        counts: dict[str, int] = {}
        for name in self.cards:
            server = name.partition(".")[0]
            counts[server] = counts.get(server, 0) + 1
        return [replace(one, tool_count=counts[one.name]) for one in self._registry.servers if one.name in counts]

    def search(self, query: str, k: int = 8) -> list[Hit]:
        """As of the registry."""
        return [hit for hit in self._registry.search(query, _LOOKED_AT) if self._has(hit.tool.full_name)][:k]

    def first_view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Tool]:
        """As of the registry; filled up with the other tools of the part."""
        found = self._registry.first_view(task, minimum=_LOOKED_AT, limit=_LOOKED_AT)
        mine = {tool.full_name: tool for tool in found if self._has(tool.full_name)}
        if len(mine) < minimum:
            mine |= {name: tool for name, tool in self.tools.items() if name not in mine}
        return list(mine.values())[:limit]

    def nearest(self, full_name: str) -> list[str]:
        """Names of the part most like this one."""
        return [name for name in self._registry.nearest(full_name) if self._has(name)]

    def _has(self, full_name: str) -> bool:
        return full_name in self._only or full_name.partition(".")[0] in self._only


def part_of(registry: Registry, only: Collection[str] | None) -> Registry:
    """The registry with these servers and tools; None: with all."""
    return registry if only is None else cast("Registry", Subset(registry, only))
