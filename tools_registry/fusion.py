"""Two rankings made into one by the places that things have in them, because their scores cannot be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAMPING = 60.0
"""The constant of reciprocal rank fusion, as its authors chose it."""
DEPTH = 1_000
"""Places below this count nothing."""

Scores = NDArray[np.float32]


def fused(one: Scores, other: Scores) -> Scores:
    """Reciprocal rank fusion, row by row: the sum over both rankings of 1 / (60 + place) (Cormack, Clarke, Buettcher 2009).

    Scaled so that the first of both has 1. What has no score above zero has no place.
    """
    whole = _by_place(one) + _by_place(other)
    return whole * np.float32((DAMPING + 1) / 2)


def _by_place(scores: Scores) -> Scores:
    found = np.zeros(scores.shape, np.float32)
    for row, values in zip(found, scores, strict=True):
        held = np.flatnonzero(values > 0)
        if len(held) > DEPTH:
            least = np.partition(values[held], len(held) - DEPTH)[len(held) - DEPTH]
            held = held[values[held] >= least]
        held = held[np.argsort(-values[held], kind="stable")][:DEPTH]
        row[held] = 1 / (DAMPING + 1 + np.arange(len(held), dtype=np.float32))
    return found
