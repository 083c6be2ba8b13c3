"""Finding tools by words: BM25 over server, name, parameters and description, each field with its own weight."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .tool import Tool

_WEIGHTS = {"name": 3.0, "server": 1.5, "description": 1.0, "parameters": 0.5}
_K1, _B = 1.2, 0.75
_STOP = frozenset(
    "a an and are as at be by can do does every for from give has have how i in into is it its me my of on or our please "
    "so tell that the their them then there these this to want was we what when where which who will with you your".split()
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A tool found, with its score (higher is better)."""

    tool: Tool
    score: float


def words(text: str) -> list[str]:
    """Lower-case word stems of a text; identifiers are split at underscores and capitals."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [_stem(word) for word in re.findall(r"[^\W_]+", split.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    for ending, put in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return (word[: -len(ending)] + put).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


class ToolIndex:
    """An index over a fixed set of tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.tools: list[Tool] = list(tools)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        documents = [_weighted_words(tool) for tool in self.tools]
        self._lengths = [sum(document.values()) for document in documents]
        self._mean_length = sum(self._lengths) / max(1, len(self._lengths))
        for number, document in enumerate(documents):
            for word, weight in document.items():
                self._postings[word].append((number, weight))

    def search(self, query: str, k: int = 8) -> list[Hit]:
        """The `k` best tools for a query, best first; tools that share no word with it are left out."""
        scores = self._scores(words(query))
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        return [Hit(self.tools[number], scores[number]) for number in ranked[:k]]

    def first_view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Tool]:
        """The tools to show before the first turn, best first: at least `minimum` where there are as many."""
        hits = self.search(task, limit)
        chosen = [hit.tool for hit in hits]
        for tool in self.tools if len(chosen) < minimum else ():
            if len(chosen) >= minimum:
                break
            if tool not in chosen:
                chosen.append(tool)
        return chosen

    def _scores(self, query: Sequence[str]) -> dict[int, float]:
        scores: dict[int, float] = defaultdict(float)
        for word, count in Counter(query).items():
            postings = self._postings.get(word, ())
            rarity = math.log(1 + (len(self.tools) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, weight in postings:
                norm = _K1 * (1 - _B + _B * self._lengths[number] / self._mean_length)
                scores[number] += count * rarity * weight * (_K1 + 1) / (weight + norm)
        return scores


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
