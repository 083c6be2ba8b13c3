"""Generalised advantage estimation (Schulman et al., 1506.02438, equations 11 to 16) over the sampled tokens of an episode.

What the environment wrote between two replies is no action: the token after it follows the last token before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..rows import Row, check
from .terms import Floats


def gae(rewards: Sequence[float], values: Sequence[float], *, gamma: float, lam: float) -> Floats:
    """A_t = sum over l of (gamma lam)^l delta_(t+l), delta_t = r_t + gamma V_(t+1) - V_t; V is 0 after the end."""
    found = np.zeros(len(rewards))
    following = ahead = 0.0
    for place in range(len(rewards) - 1, -1, -1):
        delta = rewards[place] + gamma * following - values[place]
        ahead = delta + gamma * lam * ahead
        found[place], following = ahead, values[place]
    return found


def with_advantages(
    rows: Sequence[Row], values: Sequence[Sequence[float]], reward: float, *, gamma: float, lam: float
) -> list[Row]:
    """The rows of one episode, in order, with value and advantage on every sampled token; `reward` comes with the last.

    `values` are the critic's, one for each token of each row (only those of sampled tokens are read).
    """
    places = [(number, place) for number, row in enumerate(rows) for place, own in enumerate(row.loss_mask) if own]
    flat = [values[number][place] for number, place in places]
    if not places:
        return list(rows)
    advantages = gae([0.0] * (len(places) - 1) + [reward], flat, gamma=gamma, lam=lam)
    weights = [{name: [0.0] * len(row.ids) for name in ("rl_weight", "advantage", "value")} for row in rows]
    for (number, place), value, advantage in zip(places, flat, advantages, strict=True):
        weights[number]["rl_weight"][place] = 1.0
        weights[number]["value"][place] = float(value)
        weights[number]["advantage"][place] = float(advantage)
    found = [replace(row, **own) for row, own in zip(rows, weights, strict=True)]  # type: ignore[arg-type]
    for row in found:
        check(row)
    return found
