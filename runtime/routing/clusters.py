"""Clusters of tasks: centroids by k-means, how near a task is to them, and how far its tasks lie from each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .encoder import INSTALL, Vectors
from .errors import NoRouter

NEAREST = 3
"""Clusters that a task is judged by, ..."""
SHARPNESS = 9.0
"""... weighted by softmax(-SHARPNESS * distance), as Avengers-Pro does (arXiv 2508.12631)."""
FAR_QUANTILE = 0.99
"""A task further from its nearest cluster than this share of the cluster's own tasks is far from all."""
_MAX_ITERATIONS = 1_000
RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Near:
    """Where a task lies."""

    clusters: NDArray[np.int64]
    """The nearest clusters, nearest first."""
    weights: NDArray[np.float64]
    """What each of them counts; they add up to 1."""
    distances: NDArray[np.float64]
    far: bool
    """Further from the nearest than nearly all of its own tasks."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Centroids and the radius of each."""

    centroids: Vectors
    radii: Vectors
    """Distance within which `FAR_QUANTILE` of the cluster's tasks lie."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.centroids)

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """From every vector (row) to every centroid."""
        squares = (vectors**2).sum(axis=1)[:, None] + (self.centroids**2).sum(axis=1)[None] - 2 * vectors @ self.centroids.T
        found: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0)).astype(np.float64)
        return found

    def nearest(self, vectors: Vectors) -> NDArray[np.int64]:
        """The cluster of every vector; of two equally near ones the first."""
        return np.asarray(self.distances(vectors).argmin(axis=1), np.int64)

    def near(self, vector: Vectors, *, nearest: int = NEAREST, sharpness: float = SHARPNESS) -> Near:
        """Where one task lies; `nearest` 1 is the hard assignment of the paper."""
        distances = self.distances(vector[None])[0]
        order = np.argsort(distances, kind="stable")[:nearest]
        weights = np.exp(-sharpness * (distances[order] - distances[order[0]]))
        far = bool(distances[order[0]] > self.radii[order[0]])
        return Near(order, weights / weights.sum(), distances[order], far)


def fit_clusters(vectors: Vectors, count: int, *, seed: int = 0, restarts: int = RESTARTS) -> Clusters:
    """k-means (k-means++, Elkan). Raises `NoRouter` where scikit-learn is missing and more than one is asked for."""
    count = max(1, min(count, len(np.unique(vectors, axis=0))))
    centroids = vectors.mean(axis=0, keepdims=True) if count == 1 else _kmeans(vectors, count, seed, restarts)
    bare = Clusters(centroids.astype(np.float32), np.zeros(count, np.float32))
    return Clusters(bare.centroids, _radii(bare, vectors))


def _kmeans(vectors: Vectors, count: int, seed: int, restarts: int) -> Vectors:
    try:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise NoRouter("clusters need scikit-learn", where="the extra `route`", mend=INSTALL) from None
    means = KMeans(
        count, init="k-means++", n_init=restarts, max_iter=_MAX_ITERATIONS, algorithm="elkan", random_state=seed
    )  # fmt: skip
    with threadpool_limits(limits=1):  # its threads wait for each other busily, which a loaded machine pays for
        means.fit(vectors)
    return np.asarray(means.cluster_centers_, np.float32)


def _radii(clusters: Clusters, vectors: Vectors) -> Vectors:
    """A cluster of a few tasks says little of its own extent: the widest of it and of all tasks counts there."""
    distances = clusters.distances(vectors)
    own, least = distances.argmin(axis=1), distances.min(axis=1)
    whole = float(np.quantile(least, FAR_QUANTILE))
    radii = np.full(clusters.count, whole, np.float32)
    for number in range(clusters.count):
        members = least[own == number]
        if len(members) >= 100:
            radii[number] = np.quantile(members, FAR_QUANTILE)
        elif len(members):
            radii[number] = max(whole, float(members.max()))
    return radii
