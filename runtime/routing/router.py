"""The cluster router: a task's clusters, what each pair did in them, what it costs there, and the best of it.

    utility = (1 - a) * accuracy - a * cost

`a` is the cost weight, from 0 to 1. Accuracy is the smoothed share of solved tasks. Cost has the unit "share of what the
dearest pair costs on average in the same cluster", so it runs from 0 to 1 as accuracy does: at a = 0.02 the whole way from a
free pair to the dearest one must bring 2 points of accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import NEAREST, SHARPNESS, Clusters, Near
from .encoder import Vectors
from .outcomes import Outcome, Pair
from .statistics import SMOOTHING, Statistics

COST_WEIGHT = 0.02
"""On recorded outcomes (docs/studies/routing.md) more than this costs points for little money, up to a knee near 0.075."""
LEAST_SEEN = 3.0
"""With fewer observations in all a pair was hardly seen: its figures are mostly those of its model or of the pool."""
USUAL_USE = (1_500.0, 150.0, 10.0)
"""Prompt tokens, generated tokens and seconds of a task where nothing was recorded of any."""
Figures = NDArray[np.float64]
Rates = Mapping[str, tuple[float, float, float]]
"""For each model what a prompt token, a generated token and a second cost, in USD."""


@dataclass(frozen=True, slots=True)
class Row:
    """A pair as the decision saw it."""

    pair: Pair
    accuracy: float
    cost_usd: float
    """What a task of these clusters costs, on average."""
    cost: float
    """The same as a share of the dearest pair's, cluster by cluster."""
    utility: float
    seen_here: float
    """Observations in the clusters that were asked, ..."""
    seen: float
    """... and in all."""

    def to_json(self) -> dict[str, Any]:
        """As `atlas route explain --json` shows it."""
        return {
            "model": self.pair.model, "tool": self.pair.tool or None, "accuracy": round(self.accuracy, 4),
            "cost_usd": self.cost_usd, "cost": round(self.cost, 4), "utility": round(self.utility, 4),
            "seen_here": round(self.seen_here, 2), "seen": round(self.seen, 2),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weighed:
    """Accuracy, USD, cost share and observations of each candidate, in the order given."""

    accuracy: Figures
    usd: Figures
    cost: Figures
    here: Figures
    seen: Figures
    near: Near | None

    def utility(self, cost_weight: float) -> Figures:
        """(1 - a) * accuracy - a * cost."""
        return (1 - cost_weight) * self.accuracy - cost_weight * self.cost


@dataclass(frozen=True, slots=True)
class Decision:
    """Which pair, and why."""

    rows: tuple[Row, ...]
    """Every candidate, best first; the first one is chosen."""
    reason: str
    near: Near | None
    fallback: str | None = None
    """`far`: the task is far from every cluster; `no_clusters`; `hardly_seen`: the chosen pair is; None: as planned."""

    @property
    def chosen(self) -> Row:
        """The best pair."""
        return self.rows[0]

    @property
    def evidence(self) -> bool:
        """True where the choice rests on what the chosen pair did with tasks like this one."""
        return self.fallback is None

    def models(self) -> list[str]:
        """The models in the order in which they would be tried."""
        return list(dict.fromkeys(row.pair.model for row in self.rows))


class ClusterRouter:
    """Statistics over clusters, and decisions from them."""

    def __init__(self, clusters: Clusters | None, statistics: Statistics, *, smoothing: float = SMOOTHING) -> None:
        self.clusters, self.statistics, self.smoothing = clusters, statistics, smoothing
        self._read: tuple[Figures, Figures, Figures, Figures] | None = None

    def learn(self, vector: Vectors | None, outcome: Outcome) -> None:
        """One more finished task."""
        cluster = 0 if self.clusters is None or vector is None else int(self.clusters.nearest(vector[None])[0])
        self.statistics.add(cluster, outcome)
        self._read = None

    def decide(
        self, vector: Vectors | None, candidates: Sequence[Pair], rates: Rates, *,
        cost_weight: float = COST_WEIGHT, nearest: int = NEAREST, sharpness: float = SHARPNESS,
    ) -> Decision:  # fmt: skip
        """The best of the candidates for the task with this vector; equal ones in the order given."""
        weighed = self.weigh(vector, candidates, rates, nearest=nearest, sharpness=sharpness)
        near, utility = weighed.near, weighed.utility(cost_weight)
        order = np.lexsort((np.arange(len(candidates)), np.round(weighed.usd, 12), -np.round(utility, 12)))
        figures = [weighed.accuracy, weighed.usd, weighed.cost, utility, weighed.here, weighed.seen]
        columns = np.stack(figures)[:, order].T.tolist()
        rows = tuple(Row(candidates[at], *values) for at, values in zip(order.tolist(), columns, strict=True))
        fallback = "no_clusters" if near is None else "far" if near.far else None
        if fallback is None and rows[0].seen < LEAST_SEEN:
            fallback = "hardly_seen"
        return Decision(rows, _reason(rows, near, fallback, cost_weight), near, fallback)

    def weigh(
        self, vector: Vectors | None, candidates: Sequence[Pair], rates: Rates, *,
        nearest: int = NEAREST, sharpness: float = SHARPNESS,
    ) -> Weighed:  # fmt: skip
        """What is believed of each candidate for the task with this vector, before cost is set against accuracy."""
        near = None
        if self.clusters is not None and self.clusters.count > 1 and vector is not None:
            near = self.clusters.near(vector, nearest=nearest, sharpness=sharpness)
        asked = near if near is not None and not near.far else None
        weights = asked.weights if asked is not None else np.ones(1)
        accuracies, uses, here, seen = self._figures(asked, candidates)
        usd = _dollars(uses, candidates, rates)
        dearest = usd.max(axis=1, keepdims=True)
        shares = np.divide(usd, dearest, out=np.zeros_like(usd), where=dearest > 0)
        return Weighed(weights @ accuracies, weights @ usd, weights @ shares, here, seen, near)

    def _figures(self, asked: Near | None, candidates: Sequence[Pair]) -> tuple[Figures, Figures, Figures, Figures]:
        """Accuracy and use (a row for each cluster asked), observations there and in all; a column for each candidate.

        A pair that is new is judged by its model, and a model that is new by the mean of the pool.
        """
        accuracy, overall, use, counts = self._tables()
        own = np.array([self.statistics.find(pair) for pair in candidates], np.int64)
        alone = np.array([self.statistics.find(Pair(pair.model)) for pair in candidates], np.int64)
        read = np.where(own >= 0, own, alone)
        known, met = read >= 0, own >= 0
        rows = asked.clusters if asked is not None else np.array([-1])
        rates = np.full((len(rows), len(candidates)), self.statistics.unseen())
        uses = np.full((len(rows), len(candidates), use.shape[2]), np.nan)
        rates[:, known] = (accuracy[rows] if asked is not None else overall[None])[:, read[known]]
        uses[:, known] = use[rows][:, read[known]]
        here, seen = np.zeros(len(candidates)), np.zeros(len(candidates))
        seen[met] = counts.sum(axis=0)[own[met]]
        here[met] = counts[rows].sum(axis=0)[own[met]] if asked is not None else seen[met]
        return rates, uses, here, seen

    def _tables(self) -> tuple[Figures, Figures, Figures, Figures]:
        if self._read is None:
            table = self.statistics
            self._read = table.accuracy(self.smoothing), table.overall(self.smoothing), table.use(), table.counts()
        return self._read


def _dollars(uses: Figures, candidates: Sequence[Pair], rates: Rates) -> Figures:
    """USD of each cluster (row) and candidate; what was never measured is taken from the others."""
    measured = ~np.isnan(uses[:, :, :3])
    totals = np.where(measured, uses[:, :, :3], 0.0).sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    usual = np.where(measured.any(axis=1), totals, USUAL_USE)
    filled = np.where(measured, uses[:, :, :3], usual[:, None])
    priced = (filled * np.array([rates.get(pair.model, (0.0, 0.0, 0.0)) for pair in candidates])).sum(axis=2)
    found: Figures = np.where(np.isnan(uses[:, :, 3]), priced, uses[:, :, 3])
    return found


def _reason(rows: Sequence[Row], near: Near | None, fallback: str | None, cost_weight: float) -> str:
    best = rows[0]
    said = f"{best.pair}: solves {best.accuracy:.0%} for {best.cost_usd:.6f} USD a task"
    if len(rows) > 1:
        second = rows[1]
        said += (
            f"; next is {second.pair} with {second.accuracy:.0%} for {second.cost_usd:.6f} USD (cost weight {cost_weight:g})"
        )
    if near is None:
        return f"{said}; there are too few logged tasks for clusters, so the figures are over all of them"
    if fallback == "far":
        return f"{said}; the task is far from every cluster, so the figures are over all tasks"
    if fallback == "hardly_seen":
        return f"{said}; this pair was hardly seen ({best.seen:g} observations), the figures are mostly those of the others"
    return f"{said}, in tasks like this one (cluster {near.clusters[0]}, {best.seen_here:g} observations in the nearest)"
