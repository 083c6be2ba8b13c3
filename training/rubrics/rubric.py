"""A rubric: what makes a run of one task good. It is fixed for all rollouts of the task.

Criteria stand in the paper's four categories (arXiv 2603.06713, section 3.1), each with a weight. The paper does not publish
how the categories are weighed against each other; `CATEGORY_WEIGHTS` is ours.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ..errors import RubricError
from .checks import Check
from .facts import Facts
from .gates import Gates

Category = Literal["fulfilment", "tool", "grounding", "parameter"]
CATEGORIES: tuple[Category, ...] = ("fulfilment", "tool", "grounding", "parameter")
"""Task fulfilment and quality, tool appropriateness, tool grounding, parameter accuracy."""
CATEGORY_WEIGHTS: Mapping[Category, float] = {"fulfilment": 0.4, "tool": 0.3, "grounding": 0.2, "parameter": 0.1}
"""Weights of the categories in the paper's form of the reward. The paper gives none: these are ours."""
PAPER_COUNTS: Mapping[Category, int] = {"fulfilment": 5, "tool": 3, "grounding": 2, "parameter": 2}
"""How many criteria of each category the paper's rubrics have, in this order."""
Source = Literal["world", "model", "user", "plain"]
HEAVIEST = 100
_NEGATION = re.compile(r"\b(?:does not|do not|doesn't|don't|(?P<be>is|are)n't|not|never|without|no)\b", re.IGNORECASE)
_LOADING = ("loaded", "searched")


@dataclass(frozen=True, slots=True)
class RubricCriterion:
    """One demand that can be met or not."""

    id: str
    category: Category
    text: str
    weight: float = 5
    check: Check | None = None
    """Scores it from the journal; None leaves it to a judge."""
    truth: Check | None = None
    """Scores it where the outcome is known; for calibrating judges and for training with known truth."""

    def scored(self, facts: Facts, *, truth: bool = False) -> float | None:
        """What a program says of it; None where only a judge can tell."""
        if self.check is not None:
            return self.check.run(facts)
        return self.truth.run(facts) if truth and self.truth is not None else None

    @property
    def decision(self) -> Literal["loading", "acting"]:
        """Which of the two learnable decisions it credits: what to load, or what to execute."""
        return "loading" if self.check is not None and self.check.kind in _LOADING else "acting"


@dataclass(frozen=True, slots=True)
class Rubric:
    """The criteria of one task."""

    task: str
    criteria: tuple[RubricCriterion, ...]
    version: int = 1
    source: Source = "user"
    gates: Gates = field(default_factory=Gates)
    changing: tuple[str, ...] | None = None
    """Tools known to change something; None trusts the journal's own word."""
    weights: Mapping[Category, float] = field(default_factory=lambda: CATEGORY_WEIGHTS, hash=False)
    """Of the categories, in the paper's form of the reward."""

    def __post_init__(self) -> None:
        check_rubric(self)

    def facts(self, record: Any) -> Facts:
        """The journal of an episode as the checks of this rubric see it."""
        return Facts(record, None if self.changing is None else frozenset(self.changing))

    def of(self, category: Category) -> tuple[RubricCriterion, ...]:
        """The criteria of one category."""
        return tuple(one for one in self.criteria if one.category == category)

    def criterion(self, identifier: str) -> RubricCriterion:
        """The criterion with this id."""
        return next(one for one in self.criteria if one.id == identifier)

    def next_version(self, **changes: Any) -> Rubric:
        """A changed copy with the next version number."""
        return replace(self, version=self.version + 1, **changes)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides scores; the version number and the source are not in it."""
        parts = [
            self.task,
            [[one.category, one.text, one.weight, one.check and one.check.to_data()] for one in self.criteria],
            self.gates.to_data(),
            self.changing,
            dict(self.weights),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def numbered(criteria: Iterator[RubricCriterion] | tuple[RubricCriterion, ...]) -> tuple[RubricCriterion, ...]:
    """Criteria in the order of the categories, with ids such as `tool-2` where they have none."""
    listed = list(criteria)
    counts: dict[str, int] = {}
    named = []
    for category in dict.fromkeys((*CATEGORIES, *(one.category for one in listed))):  # unknown ones are refused later
        for one in listed:
            if one.category == category:
                counts[category] = counts.get(category, 0) + 1
                named.append(one if one.id else replace(one, id=f"{category}-{counts[category]}"))
    return tuple(named)


def check_rubric(rubric: Rubric) -> None:
    """Raise `RubricError` for a rubric that weighs nothing, contradicts itself, or repeats itself."""
    where = f"rubric of {rubric.task[:60]!r}"
    if not rubric.criteria:
        raise RubricError("the rubric has no criteria", where=where, mend="add at least one [[criteria]]")
    for one in rubric.criteria:
        _check_criterion(one, where)
    ids = [one.id for one in rubric.criteria]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise RubricError(f"two criteria are called {twice!r}", where=where, mend="give each an id of its own")
    if any(name not in CATEGORIES for name in rubric.weights):
        raise RubricError("weights of unknown categories", where=where, mend=f"the categories are {', '.join(CATEGORIES)}")
    present = [rubric.weights.get(one.category, 0.0) for one in rubric.criteria]
    if any(not math.isfinite(weight) or weight < 0 for weight in rubric.weights.values()) or not any(present):
        raise RubricError(
            "the categories of the criteria weigh nothing", where=where, mend="give [weights] positive numbers"
        )
    _check_contradictions(rubric, where)


def _check_criterion(one: RubricCriterion, where: str) -> None:
    place = f"{where}, criterion {one.id!r}"
    if one.category not in get_args(Category):
        raise RubricError(f"there is no category {one.category!r}", where=place, mend=f"one of {', '.join(CATEGORIES)}")
    if not one.text.strip():
        raise RubricError("the criterion has no text", where=place, mend="say what has to be met")
    if isinstance(one.weight, bool) or not math.isfinite(one.weight) or not 0 < one.weight <= HEAVIEST:
        raise RubricError(
            f"the weight is {one.weight!r}", where=place, mend="give a number above 0, at most 10 in the paper's scale"
        )


def _check_contradictions(rubric: Rubric, where: str) -> None:
    said: dict[str, list[tuple[bool, RubricCriterion]]] = {}
    for one in rubric.criteria:
        bare, denied = _stem(one.text)
        for before, other in said.setdefault(bare, []):
            if before != denied or other.check == one.check:
                how = "contradict each other" if before != denied else "say the same"
                raise RubricError(f"{other.id!r} and {one.id!r} {how}", where=where, mend="keep one of them")
        said[bare].append((denied, one))
    checks = [(one.id, one.check) for one in rubric.criteria if one.check is not None]
    for number, (first, left) in enumerate(checks):
        for second, right in checks[number + 1 :]:
            if _clash(left, right) or _clash(right, left):
                raise RubricError(
                    f"the checks of {first!r} and {second!r} contradict each other", where=where, mend="keep one of them"
                )


def _stem(text: str) -> tuple[str, bool]:
    """The words without what denies them, and whether they are denied."""
    bare, found = _NEGATION.subn(lambda match: match.group("be") or " ", text)
    words = bare.rstrip(". ").split()
    return " ".join(word[:1].lower() + word[1:].removesuffix("s") for word in words), found % 2 == 1


def _clash(left: Check, right: Check) -> bool:
    """Whether no episode can meet both."""
    kinds = (left.kind, right.kind)
    if kinds == ("answered", "refused"):
        return True
    if kinds == ("called", "avoided"):
        return left.given.get("at_least", 1) > 0 and set(left.given["tools"]) <= set(right.given["tools"])
    if kinds == ("called", "called") and left.given["tools"] == right.given["tools"]:
        return bool(left.given.get("at_least", 1) > right.given.get("at_most", math.inf))
    if kinds == ("order", "order"):
        return bool(left.given["tools"] == list(reversed(right.given["tools"])) != right.given["tools"])
    if kinds == ("called", "within"):
        return bool(left.given.get("at_least", 1) > right.given.get("calls", math.inf))
    if kinds == ("answer", "answer"):
        return "equals" in left.given and "equals" in right.given and left.given["equals"] != right.given["equals"]
    return False
