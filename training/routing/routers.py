"""Routers to compare: each is fitted on the training half and believes an accuracy and a cost of every pair.

`cluster` is the runtime's own router, with its own classes. The others are its peers: the best single pair, k nearest
neighbours, ridge regression, and clusters as Avengers-Pro forms them (arXiv 2508.12631), all over the same vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.routing.choosing import choose_count
from ...runtime.routing.clusters import NEAREST, SHARPNESS, fit_clusters
from ...runtime.routing.encoder import Vectors
from ...runtime.routing.router import ClusterRouter
from ...runtime.routing.statistics import Statistics
from .recorded import Numbers, Recorded, means

NEIGHBOURS = 100
RIDGE = 10.0
AVENGERS_CLUSTERS = 25
"""Of its balanced version."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What a router believes of each question (row) and pair (column)."""

    accuracy: Numbers
    cost: Numbers
    """A share of the dearest pair's, from 0 to 1."""

    def choices(self, cost_weight: float, allowed: Numbers) -> NDArray[np.int64]:
        """The pair with the highest utility for each question, among those with a recorded score."""
        utility = (1 - cost_weight) * self.accuracy - cost_weight * self.cost
        return np.asarray(np.where(np.isnan(allowed), -np.inf, np.round(utility, 12)).argmax(axis=1), np.int64)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Both halves as vectors."""

    train: Recorded
    test: Recorded
    train_vectors: Vectors
    test_vectors: Vectors
    seed: int = 0


def best_single(data: Fitted) -> Beliefs:
    """One pair for everything."""
    scores, costs = means(data.train.scores), means(data.train.costs)
    rows = len(data.test.questions)
    return Beliefs(np.tile(scores, (rows, 1)), np.tile(_shares(costs[None])[0], (rows, 1)))


def knn(data: Fitted, neighbours: int = NEIGHBOURS) -> Beliefs:
    """The mean of the most similar training questions."""
    scores, costs = _filled(data.train.scores), _filled(data.train.costs)
    count = min(neighbours, len(scores))
    near = np.argsort(-(data.test_vectors @ data.train_vectors.T), axis=1, kind="stable")[:, :count]
    return Beliefs(scores[near].mean(axis=1), _shares(costs[near].mean(axis=1)))


def linear(data: Fitted, ridge: float = RIDGE) -> Beliefs:
    """Ridge regression of scores and costs on the vector."""
    return Beliefs(
        _ridge(data, _filled(data.train.scores), ridge),
        _shares(np.maximum(_ridge(data, _filled(data.train.costs), ridge), 0)),
    )


def avengers_pro(data: Fitted, count: int = AVENGERS_CLUSTERS) -> Beliefs:
    """Raw means of each cluster, scaled from its worst to its best pair; the three nearest clusters, weighted."""
    clusters = fit_clusters(data.train_vectors, count, seed=data.seed, restarts=10)
    own = clusters.nearest(data.train_vectors)
    scores, costs = _filled(data.train.scores), _filled(data.train.costs)
    solved = np.stack([scores[own == one].mean(axis=0) for one in range(clusters.count)])
    spent = _shares(np.stack([costs[own == one].mean(axis=0) for one in range(clusters.count)]))
    low, high = solved.min(axis=1, keepdims=True), solved.max(axis=1, keepdims=True)
    scaled = (solved - low) / np.maximum(high - low, 1e-9)
    near = [clusters.near(vector, nearest=NEAREST, sharpness=SHARPNESS) for vector in data.test_vectors]
    return Beliefs(
        np.stack([one.weights @ scaled[one.clusters] for one in near]),
        np.stack([one.weights @ spent[one.clusters] for one in near]),
    )


def cluster(data: Fitted, count: int | None = None, *, nearest: int = NEAREST) -> Beliefs:
    """The runtime's router; the number of clusters comes from the training half unless given."""
    return beliefs(cluster_router(data, count), data, nearest=nearest)


def beliefs(router: ClusterRouter, data: Fitted, *, nearest: int = NEAREST) -> Beliefs:
    """What a router of the runtime believes of the test half."""
    weighed = [router.weigh(vector, data.test.pairs, {}, nearest=nearest) for vector in data.test_vectors]
    return Beliefs(np.stack([one.accuracy for one in weighed]), np.stack([one.cost for one in weighed]))


def cluster_router(data: Fitted, count: int | None = None) -> ClusterRouter:
    """The runtime's router over the training half."""
    seen = data.train.observed()
    if count is None:
        count, _ = choose_count(data.train_vectors, seen, seed=data.seed)
    clusters = fit_clusters(data.train_vectors, count, seed=data.seed)
    statistics = Statistics(clusters.count)
    statistics.add_all(seen, clusters.nearest(data.train_vectors))
    return ClusterRouter(clusters, statistics)


PEERS: dict[str, Callable[[Fitted], Beliefs]] = {
    "best_single": best_single, "knn": knn, "linear": linear, "avengers_pro": avengers_pro,
}  # fmt: skip


def _shares(costs: Numbers) -> Numbers:
    dearest = costs.max(axis=1, keepdims=True)
    return np.asarray(np.divide(costs, dearest, out=np.zeros_like(costs), where=dearest > 0))


def _filled(values: Numbers) -> Numbers:
    """What was not recorded becomes the mean of its pair."""
    return np.where(np.isnan(values), means(values), values)


def _ridge(data: Fitted, targets: Numbers, ridge: float) -> Numbers:
    vectors = data.train_vectors.astype(float)
    centre, mean = vectors.mean(axis=0), targets.mean(axis=0)
    moved = vectors - centre
    weights = np.linalg.solve(moved.T @ moved + ridge * np.eye(moved.shape[1]), moved.T @ (targets - mean))
    found: Numbers = (data.test_vectors - centre) @ weights + mean
    return found
