"""How tools are ranked for a query, and how the view of a whole task is put together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .fusion import fused
from .postings import ABOUT, GRAM, Numbers, Postings
from .steps import steps
from .words import grams, query_words, task_words

Scores = NDArray[np.float32]
_SERVER_WEIGHT = 0.3
"""Of two equally good tools the better one belongs to the server that covers more of the query."""
_NEAR_SHARE = 0.6
"""How many of an unknown word's runs of three letters a name must hold to be near it."""
_NEAR_WEIGHT = 0.7
_WHOLE_WEIGHT = 0.5
_COVER_WEIGHT = 0.5
_ABOUT_WEIGHT = 0.25
_NEW_STEP_WEIGHT = 0.3
_SAME_SERVER = 0.6
"""Each tool of a server in view makes its next one worth this much of before, ..."""
_SAME_SERVER_LEAST = 0.2
"""... down to this share, because a task may well be about one server."""
_BROAD = (4, 8)
"""As many tools of a view as the task has steps, within these bounds, are chosen for breadth; what comes after them deepens
the servers that fit best."""
_CANDIDATES = 300

Near = Callable[[Sequence[str]], Scores | None]
"""From queries to how near each of them (a row) is to each tool."""


@dataclass(slots=True)
class Ranking:
    """Searches over some postings."""

    postings: Postings
    near: Near | None = None
    """Nearness in meaning, where there is an encoder; None where that cannot say."""
    _starts: Numbers = field(init=False)
    """The first tool of each server, ..."""
    _places: Numbers = field(init=False)
    """... and for each tool which of these servers it belongs to."""

    def __post_init__(self) -> None:
        servers = self.postings.servers
        changes = np.flatnonzero(np.diff(servers)) + 1 if len(servers) else np.zeros(0, np.int64)
        self._starts = np.concatenate(([0], changes)).astype(np.int32) if len(servers) else np.zeros(0, np.int32)
        counts = np.diff(np.append(self._starts, len(servers)))
        self._places = np.repeat(np.arange(len(self._starts), dtype=np.int32), counts)

    def search(self, query: str) -> Scores:
        """The score of every tool for a query of a few words."""
        words = query_words(query)
        scores: Scores = self._matrix([words])[0] * (1 + _SERVER_WEIGHT * self._covered(words))
        found: Scores = self._with_meaning(scores[None], [query])[0]
        return found

    def view(self, task: str, limit: int) -> list[tuple[int, float]]:
        """The tools to show for a whole task, best first, with what each is worth."""
        if not self.postings.size:
            return []
        texts = [*steps(task), task]
        matrix = self._with_meaning(self._matrix([task_words(text) for text in texts]), texts)
        return self._chosen(matrix[:-1], self._worth(matrix[:-1], matrix[-1], task_words(task)), limit)

    def by_turns(self) -> Iterator[int]:
        """The first tool of each server, then the second of each, ..."""
        ends = np.append(self._starts[1:], self.postings.size)
        for turn in range(int((ends - self._starts).max(initial=0))):
            numbers = self._starts + turn
            yield from numbers[numbers < ends].tolist()

    def _with_meaning(self, scores: Scores, texts: Sequence[str]) -> Scores:
        """Scores by words, fused by rank with those by meaning where an encoder gives any."""
        if self.near is None or not self.postings.size or not any(text.strip() for text in texts):
            return scores
        near = self.near(texts)
        return scores if near is None else fused(scores, near)

    def _worth(self, by_step: Scores, whole: Scores, words: Mapping[str, float]) -> Scores:
        """Best step of a tool, fit to the whole task, and how many steps its server covers how well."""
        best = by_step.max(axis=0)
        by_server = np.maximum.reduceat(by_step, self._starts, axis=1)
        cover = self._spread(_scaled(np.sqrt((by_server**2).sum(axis=0))))
        worth: Scores = _scaled(best) + _WHOLE_WEIGHT * _scaled(whole) + _COVER_WEIGHT * cover
        worth += _ABOUT_WEIGHT * self._about(words)
        worth[best <= 0] = 0
        return worth

    def _chosen(self, by_step: Scores, worth: Scores, limit: int) -> list[tuple[int, float]]:
        """Take the best one by one: what covers a step anew counts more, further tools of the same server less."""
        pool = _best(worth, max(_CANDIDATES, 4 * limit))
        fits = by_step[:, pool] / max(float(by_step.max()), 1e-9)
        servers, own = self.postings.servers[pool], worth[pool]
        covered = np.zeros(len(by_step), np.float32)
        discount, chosen = np.ones(len(pool), np.float32), list[tuple[int, float]]()
        broad = min(max(len(by_step), _BROAD[0]), _BROAD[1])
        for place in range(min(limit, len(pool))):
            if place == broad:
                discount[:] = 1
            gain = np.maximum(fits - covered[:, None], 0).sum(axis=0)
            value = np.where(own > 0, (own + _NEW_STEP_WEIGHT * gain) * discount, -1)
            best = int(value.argmax())
            chosen.append((int(pool[best]), float(value[best])))
            covered = np.maximum(covered, fits[:, best])
            own[best] = 0
            same = servers == servers[best]
            if place < broad:
                discount[same] = np.maximum(discount[same] * _SAME_SERVER, _SAME_SERVER_LEAST)
        return chosen

    def _matrix(self, queries: Sequence[Mapping[str, float]]) -> Scores:
        """Scores of all tools, a row for each query."""
        scores = np.zeros((len(queries), self.postings.size), np.float32)
        rows: dict[str, list[tuple[int, float]]] = {}
        for row, words in enumerate(queries):
            for word, weight in words.items():
                rows.setdefault(word, []).append((row, weight))
        for word, places in rows.items():
            found = self._found(word)
            if found is None:
                continue
            tools, worth = found
            for row, weight in places:
                scores[row, tools] += worth * np.float32(weight)
        return scores

    def _found(self, word: str) -> tuple[Numbers, Scores] | None:
        """The tools that hold a word, or where no tool does those whose name is near it, with what it says of each."""
        found = self.postings.of(word)
        if found is None:
            return self._near(word)
        tools, weights = found
        return tools, weights * np.float32(self._rarity(len(tools)))

    def _near(self, word: str) -> tuple[Numbers, Scores] | None:
        pieces = sorted(grams(word)) if len(word) >= 5 else []
        held = np.zeros(self.postings.size, np.float32)
        for piece in pieces:
            found = self.postings.of(GRAM + piece)
            if found is not None:
                held[found[0]] += 1 / len(pieces)
        near = np.flatnonzero(held >= _NEAR_SHARE).astype(np.int32)
        return (near, held[near] * np.float32(_NEAR_WEIGHT * self._rarity(len(near)))) if len(near) else None

    def _rarity(self, count: int) -> float:
        return math.log(1 + (self.postings.size - count + 0.5) / (count + 0.5))

    def _covered(self, words: Mapping[str, float]) -> Scores:
        """For each tool the share of the query that its server's tools hold among them."""
        per_server = np.zeros(len(self._starts), np.float32)
        total = 0.0
        for word, weight in words.items():
            found = self._found(word)
            if found is not None:
                worth = weight * self._rarity(len(found[0]))
                held = np.zeros(len(per_server), np.bool_)  # `np.unique` would import a good part of numpy
                held[self._places[found[0]]] = True
                per_server[held] += worth
                total += worth
        return self._spread(per_server / np.float32(total or 1.0))

    def _about(self, words: Mapping[str, float]) -> Scores:
        """How much of the task the servers' names and instructions speak of."""
        said = np.zeros(self.postings.size, np.float32)
        for word, weight in words.items():
            found = self.postings.of(ABOUT + word)
            if found is not None:
                said[found[0]] += weight * self._rarity(len(found[0]))
        return _scaled(said)

    def _spread(self, per_server: Scores) -> Scores:
        """One value for each server -> the same for each of its tools."""
        return per_server[self._places]


def _scaled(scores: Scores) -> Scores:
    return scores / np.float32(max(float(scores.max(initial=0)), 1e-9))


def _best(scores: Scores, count: int) -> NDArray[np.int64]:
    """Numbers of the best scores above zero, best first, the lower number first among equals."""
    found = np.flatnonzero(scores > 0)
    if 0 < count < len(found):
        least = np.partition(scores[found], len(found) - count)[len(found) - count]
        found = found[scores[found] >= least]
    return found[np.argsort(-scores[found], kind="stable")][:count]


def best(scores: Scores, count: int) -> list[tuple[int, float]]:
    """The best `count` tools with their scores; none without a score."""
    return [(int(number), float(scores[number])) for number in _best(scores, max(0, count))]
