"""Finding tools by words, over tools in memory.

BM25 over server, name, parameters and description, each field with its own weight; `ranking` says how a query and how a
whole task are answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from .tool import Tool
from .words import words

if TYPE_CHECKING:
    from .encoding import Encoder
    from .meaning import Meaning, Notify
    from .postings import Postings
    from .stored import StoredSpace

__all__ = ["Hit", "Meant", "Search", "StoredIndex", "ToolIndex", "words"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A tool found, with its score (higher is better)."""

    tool: Tool
    score: float


@dataclass(frozen=True, slots=True)
class Meant:
    """What a search by meaning needs beside the tools: an encoder, and the file where vectors are kept (None: nowhere)."""

    encoder: Encoder
    file: Path | None = None
    notify: Notify | None = None
    """Hears what takes long, and why an encoder is not used."""

    def of(self, tools: Callable[[], Iterable[Tool]], size: int, key: str = "") -> Meaning:
        """The tools of one space by meaning."""
        from .meaning import Meaning
        from .vectors import VectorCache

        return Meaning(self.encoder, tools, size, key=key, cache=VectorCache(self.file), notify=self.notify)


class Search:
    """Searches over some postings, whose tools are fetched by number."""

    def __init__(self, postings: Postings, numbered: Callable[[int], Tool], meaning: Meaning | None = None) -> None:
        """With `meaning`, what an encoder finds is fused with what words find."""
        from .ranking import Ranking

        self.meaning = meaning
        self._ranking = Ranking(postings, meaning.near if meaning is not None else None)
        self._numbered = numbered

    def search(self, query: str, k: int = 8) -> list[Hit]:
        """The `k` best tools for a query, best first; without an encoder tools that share no word with it are left out."""
        from .ranking import best

        return [Hit(self._numbered(number), score) for number, score in best(self._ranking.search(query), k)]

    def first_view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Tool]:
        """The tools to show before the first turn, best first: at least `minimum` where there are as many."""
        return [hit.tool for hit in self.view(task, minimum=minimum, limit=limit)]

    def view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Hit]:
        """The first view with what each tool is worth; 0 for one that only fills up."""
        chosen = self._ranking.view(task, limit)
        if len(chosen) < min(minimum, limit):
            taken = {number for number, _ in chosen}
            others = (number for number in self._ranking.by_turns() if number not in taken)
            chosen += [(number, 0.0) for number in islice(others, min(minimum, limit) - len(chosen))]
        return [Hit(self._numbered(number), score) for number, score in chosen]


class ToolIndex(Search):
    """An index over a fixed set of tools. `instructions` are what servers say about themselves, by identifier."""

    def __init__(
        self, tools: Iterable[Tool], instructions: Mapping[str, str] | None = None, meant: Meant | None = None
    ) -> None:
        from .postings import MemoryPostings, segment, tool_terms

        said = instructions or {}
        given = list(tools)
        places: dict[str, int] = {}
        for tool in given:
            places.setdefault(tool.server, len(places))
        self.tools: list[Tool] = sorted(given, key=lambda tool: places[tool.server])
        terms = (tool_terms(tool, said.get(tool.server, "")) for tool in self.tools)
        postings = MemoryPostings(segment(terms), [places[tool.server] for tool in self.tools])
        meaning = meant.of(lambda: self.tools, len(self.tools)) if meant is not None else None
        super().__init__(postings, self.tools.__getitem__, meaning)


class StoredIndex(Search):
    """An index over a toolspace on disk."""

    def __init__(self, space: StoredSpace, key: str = "", meant: Meant | None = None) -> None:
        """`key` is the one under which the toolspace is stored."""
        meaning = meant.of(space.tools, space.size, key) if meant is not None else None
        super().__init__(space, space.numbered, meaning)
