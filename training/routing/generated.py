"""Generated outcomes of (model, tool) pairs, for testing the joint choice against choosing the model alone.

Families of tasks, each with words of its own. How often a pair solves a family's tasks is made of three parts: how good the
model is, how fit the tool is for the family, and how well this very model handles this very tool there. The third part
decides whether the pair must be chosen as a pair; `interaction` is its share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_VERBS = "count convert join rename plot solve translate summarise fetch compare round order".split()
_THINGS = "words miles tables folders graphs equations letters reports pages prices numbers names".split()
_ENDS = "please now for me today quickly in full twice once more by hand at last as asked".split()


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of everything there is."""

    families: int = 8
    models: int = 4
    tools: int = 4
    train: int = 1_200
    test: int = 600
    interaction: float = 0.6


def generated(shape: Shape, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Lines for `route replay`: every pair on every question."""
    rng = np.random.default_rng(seed)
    rates = _rates(shape, rng)
    prices = np.geomspace(0.0002, 0.005, shape.models)
    for number in range(shape.train + shape.test):
        family = int(rng.integers(shape.families))
        question, split = _question(family, rng), "train" if number < shape.train else "test"
        solved = rng.random((shape.models, shape.tools)) < rates[family]
        for model in range(shape.models):
            for tool in range(shape.tools):
                yield {
                    "question": f"{question} ({number})", "task": f"family {family}", "split": split,
                    "model": f"model-{model}", "tool": f"tool-{tool}", "score": float(solved[model, tool]),
                    "cost": float(prices[model]),
                }  # fmt: skip


def _rates(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Families x models x tools."""
    strength = rng.normal(0, 0.6, (shape.families, shape.models, 1))
    fit = rng.normal(0, 0.6, (shape.families, 1, shape.tools))
    together = rng.normal(0, 1.5, (shape.families, shape.models, shape.tools))
    logit = (1 - shape.interaction) * (strength + fit) + shape.interaction * together
    found: np.ndarray = 1 / (1 + np.exp(-1.5 * logit))
    return found


def _question(family: int, rng: np.random.Generator) -> str:
    verb, thing = _VERBS[family % len(_VERBS)], _THINGS[family % len(_THINGS)]
    ends = " ".join(rng.choice(_ENDS, 3))
    return f"{verb} the {thing} of number {rng.integers(1_000)} {ends}"
