"""Finding tools by words: BM25 over server, name, parameters and description, each field with its own weight.

A word of the query also finds, with less weight, the few words that people use for the same act ("remove" a file that a
tool would "delete"). Of two equally good tools the better one belongs to the server that covers more of the query.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from .tool import Tool

_WEIGHTS = {"name": 3.0, "server": 1.5, "description": 1.0, "parameters": 0.5}
_K1, _B = 1.2, 0.75
_SYNONYM_WEIGHT = 0.35
_SERVER_WEIGHT = 0.3
_TEXT_CHARS = 8_000
"""What is read of one text; a longer description or query says nothing more about what a tool is for."""
_STOP = frozenset(
    "a an and are as at be by can do does every for from give has have how i in into is it its me my of on or our please "
    "so tell that the their them then there these this to want was we what when where which who will with you your".split()
)
_SAME_ACT = (
    "delete remove erase drop discard",
    "create add new make insert register",
    "update change edit modify set adjust",
    "get read show fetch view open load retrieve look",
    "find search locate lookup query",
    "list enumerate",
    "count many number total",
    "send email mail message notify",
    "buy purchase order",
    "copy duplicate clone",
    "move rename relocate",
    "cancel abort stop",
    "convert translate transform exchange",
    "folder directory",
    "file document",
    "client customer",
    "schedule book reserve",
    "write save store",
    "join combine merge",
    "picture image photo",
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A tool found, with its score (higher is better)."""

    tool: Tool
    score: float


def words(text: str) -> list[str]:
    """Lower-case word stems of a text; identifiers are split at underscores and capitals."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text[:_TEXT_CHARS])
    return [_stem(word) for word in re.findall(r"[^\W_]+", split.lower()) if word not in _STOP]


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    """Cut the plural first, then the verb's ending, so that `meetings`, `meeting` and `meet` are one word."""
    stem = _without(word, (("ies", "y"), ("sses", "ss"), ("es", ""), ("s", "")))
    stem = _without(stem, (("ied", "y"), ("ing", ""), ("ed", "")))
    stem = stem.rstrip("e") if len(stem) > 3 else stem
    doubled = len(stem) > 2 and stem[-1] == stem[-2]  # `planned` becomes `plann`
    return stem[:-1] if doubled else stem


def _without(word: str, endings: tuple[tuple[str, str], ...]) -> str:
    if word.endswith("ss"):
        return word
    for ending, put in endings:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + put
    return word


def _synonyms() -> dict[str, frozenset[str]]:
    groups = [frozenset(_stem(word) for word in line.split()) for line in _SAME_ACT]
    found: dict[str, frozenset[str]] = {}
    for group in groups:
        for word in group:
            found[word] = (found.get(word, frozenset()) | group) - {word}
    return found


_SYNONYMS = _synonyms()


class ToolIndex:
    """An index over a fixed set of tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools: list[Tool] = list(tools)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        documents = [_weighted_words(tool) for tool in self.tools]
        lengths = [sum(document.values()) for document in documents]
        mean = sum(lengths) / max(1, len(lengths)) or 1.0
        self._norms = [_K1 * (1 - _B + _B * length / mean) for length in lengths]
        for number, document in enumerate(documents):
            for word, weight in document.items():
                self._postings[word].append((number, weight))

    def search(self, query: str, k: int = 8) -> list[Hit]:
        """The `k` best tools for a query, best first; tools that share no word with it are left out."""
        scores = self._scores(_expanded(words(query)))
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        return [Hit(self.tools[number], scores[number]) for number in ranked[: max(0, k)]]

    def first_view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Tool]:
        """The tools to show before the first turn, best first: at least `minimum` where there are as many.

        While other servers have something to offer, no server takes more than half of the view.
        """
        found = [hit.tool for hit in self.search(task, len(self.tools))]
        share, taken = max(1, limit // 2), defaultdict[str, int](int)
        chosen: list[Tool] = []
        for tool in found:
            if taken[tool.server] < share and len(chosen) < limit:
                taken[tool.server] += 1
                chosen.append(tool)
        names = {tool.full_name for tool in chosen}
        chosen += [tool for tool in found if tool.full_name not in names][: limit - len(chosen)]
        if len(chosen) < min(minimum, limit):
            names = {tool.full_name for tool in chosen}
            others = [tool for tool in _by_turns(self.tools) if tool.full_name not in names]
            chosen += others[: min(minimum, limit) - len(chosen)]
        return chosen

    def _scores(self, query: Mapping[str, float]) -> dict[int, float]:
        scores: dict[int, float] = defaultdict(float)
        covered: dict[str, dict[str, float]] = defaultdict(dict)
        for word, count in query.items():
            postings = self._postings.get(word, ())
            rarity = math.log(1 + (len(self.tools) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, weight in postings:
                scores[number] += count * rarity * weight * (_K1 + 1) / (weight + self._norms[number])
                covered[self.tools[number].server][word] = count * rarity
        total = sum({word: worth for words_ in covered.values() for word, worth in words_.items()}.values()) or 1.0
        for number in scores:
            share = sum(covered[self.tools[number].server].values()) / total
            scores[number] *= 1 + _SERVER_WEIGHT * share
        return scores


def _expanded(query: list[str]) -> dict[str, float]:
    """Weight of each word to look for: those of the query, and what else they are called."""
    weights: dict[str, float] = defaultdict(float)
    for word in query:
        weights[word] += 1.0
    for word in query:
        for other in sorted(_SYNONYMS.get(word, ())):
            weights[other] = max(weights[other], _SYNONYM_WEIGHT)
    return weights


def _by_turns(tools: Iterable[Tool]) -> list[Tool]:
    """The first tool of each server, then the second of each, ..."""
    turns: dict[str, int] = defaultdict(int)
    placed: list[tuple[int, int, Tool]] = []
    for number, tool in enumerate(tools):
        placed.append((turns[tool.server], number, tool))
        turns[tool.server] += 1
    return [tool for _, _, tool in sorted(placed, key=lambda place: place[:2])]


def _weighted_words(tool: Tool) -> dict[str, float]:
    fields = {
        "name": tool.name,
        "server": tool.server,
        "description": tool.description,
        "parameters": " ".join(tool.parameters),
    }
    document: dict[str, float] = defaultdict(float)
    for field, text in fields.items():
        for word in words(text):
            document[word] += _WEIGHTS[field]
    return document
