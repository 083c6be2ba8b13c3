"""Which tools hold which word, and how much it says about each: the form in which tools are searched.

The weight of a word in a tool is final when the tool is read: lengths are set against what is usual in real listings, not
against the other tools. So the postings of a server can be kept, and those of many servers are put together by sorting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .tool import Tool
from .words import TEXT_CHARS, grams, words

Numbers = NDArray[np.int32]
Weights = NDArray[np.float32]
GRAM = "#"
"""First letter of a term that is a run of three letters in a name."""
ABOUT = "@"
"""First letter of a term that stands in the server's own words about itself."""
_K1 = 1.2


@dataclass(frozen=True, slots=True)
class _Field:
    weight: float
    usual_words: float
    length_matters: float


_FIELDS = {
    "name": _Field(2.5, 3, 0.3),
    "server": _Field(1.5, 2, 0.3),
    "description": _Field(1.0, 20, 0.6),
    "parameters": _Field(0.4, 5, 0.5),
    "parameter texts": _Field(0.2, 20, 0.7),
}


class Postings(Protocol):
    """What a search reads: for each term the tools that hold it, by number."""

    size: int
    """How many tools there are."""
    servers: Numbers
    """The server of each tool, by number; tools of a server stand together."""

    def of(self, term: str) -> tuple[Numbers, Weights] | None:
        """The tools that hold a term, in rising order, and its weight in each."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The postings of some tools in one piece: `counts[i]` entries of `tools` and `weights` belong to `terms[i]`."""

    size: int
    terms: Sequence[str]
    counts: Numbers
    tools: Numbers
    weights: Weights


def tool_terms(tool: Tool, instructions: str = "") -> dict[str, float]:
    """The terms of one tool with their weights; `instructions` are what its server says about itself."""
    server, properties = tool.server_name or tool.server, tool.properties
    texts = {
        "name": tool.name,
        "server": server,
        "description": tool.description,
        "parameters": " ".join(properties),
        "parameter texts": _parameter_texts(properties),
    }
    sums: dict[str, float] = defaultdict(float)
    for field, text in texts.items():
        kind, found = _FIELDS[field], words(text)
        share = kind.weight / (1 - kind.length_matters + kind.length_matters * len(found) / kind.usual_words)
        for word in found:
            sums[word] += share
    terms = {word: value * (_K1 + 1) / (value + _K1) for word, value in sums.items()}
    terms.update(dict.fromkeys((GRAM + gram for gram in grams(tool.name)), 1.0))
    terms.update(dict.fromkeys((ABOUT + word for word in words(f"{server} {instructions[:TEXT_CHARS]}")), 1.0))
    return terms


def _parameter_texts(properties: Mapping[str, Any]) -> str:
    texts = [part.get("description") for part in properties.values() if isinstance(part, dict)]
    return " ".join(text[:300] for text in texts if isinstance(text, str))[:TEXT_CHARS]


def segment(tools: Iterable[Mapping[str, float]]) -> Segment:
    """The postings of tools given by their terms."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    size = 0
    for number, terms in enumerate(tools):
        size = number + 1
        for term, weight in terms.items():
            found[term].append((number, weight))
    places = [place for entries in found.values() for place in entries]
    return Segment(
        size,
        list(found),
        np.array([len(entries) for entries in found.values()], np.int32),
        np.array([number for number, _ in places], np.int32),
        np.array([weight for _, weight in places], np.float32),
    )


def merged(segments: Sequence[Segment]) -> Segment:
    """One segment of all tools, numbered through in the order given."""
    if len(segments) == 1:
        return segments[0]
    ids: dict[str, int] = {}
    of_terms: list[Numbers] = []
    tools: list[Numbers] = []
    first = 0
    for one in segments:
        local = np.array([ids.setdefault(term, len(ids)) for term in one.terms], np.int32)
        of_terms.append(np.repeat(local, one.counts))
        tools.append(one.tools + np.int32(first))
        first += one.size
    term_ids = np.concatenate(of_terms) if of_terms else np.zeros(0, np.int32)
    order = np.argsort(term_ids, kind="stable")
    return Segment(
        first,
        list(ids),
        np.bincount(term_ids, minlength=len(ids)).astype(np.int32),
        (np.concatenate(tools) if tools else np.zeros(0, np.int32))[order],
        (np.concatenate([one.weights for one in segments]) if segments else np.zeros(0, np.float32))[order],
    )


class MemoryPostings:
    """Postings of a segment in memory."""

    def __init__(self, whole: Segment, servers: Sequence[int] | Numbers) -> None:
        self.size = whole.size
        self.servers = np.asarray(servers, np.int32)
        self._whole = whole
        ends = np.cumsum(whole.counts)
        self._ends = dict(zip(whole.terms, zip((ends - whole.counts).tolist(), ends.tolist(), strict=True), strict=True))

    def of(self, term: str) -> tuple[Numbers, Weights] | None:
        """The tools that hold a term, in rising order, and its weight in each."""
        place = self._ends.get(term)
        if place is None:
            return None
        return self._whole.tools[place[0] : place[1]], self._whole.weights[place[0] : place[1]]
