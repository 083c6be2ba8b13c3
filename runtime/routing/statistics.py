"""How often each pair solved the tasks of each cluster, and what it used: sums that grow as episodes finish."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .outcomes import Observed, Outcome, Pair

SMOOTHING = 10.0
"""A pair's rate in a cluster counts as if this many tasks had come out at the pair's rate over all clusters."""
_FIELDS = 8
_N, _SOLVED, _RUNS, _PROMPT, _GENERATED, _SECONDS, _PRICED, _USD = range(_FIELDS)

Table = NDArray[np.float64]


@dataclass(slots=True)
class Statistics:
    """Sums for each cluster and pair. A model's own row (`tool` empty) holds all that it did, with any tool."""

    clusters: int
    names: list[Pair] = field(default_factory=list)
    sums: Table = field(default_factory=lambda: np.zeros((0, 0, 0)))
    """Clusters x pairs x fields."""
    _places: dict[Pair, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sums.size == 0:
            self.sums = np.zeros((self.clusters, 0, _FIELDS))

    def place(self, pair: Pair) -> int:
        """The column of a pair, made where it is new."""
        found = self._places.get(pair)
        if found is None:
            found = self._places[pair] = len(self.names)
            self.names.append(pair)
            self.sums = np.concatenate([self.sums, np.zeros((self.clusters, 1, _FIELDS))], axis=1)
        return found

    def find(self, pair: Pair) -> int:
        """The column of a pair; -1 for one that was never seen."""
        return self._places.get(pair, -1)

    def add(self, cluster: int, outcome: Outcome) -> None:
        """One more observation, also counted for the model alone by the share of a run that it is."""
        usd = outcome.cost_usd
        row = np.array([
            outcome.weight, outcome.weight * outcome.score, 1.0, outcome.prompt_tokens, outcome.generated_tokens,
            outcome.seconds, usd is not None, usd or 0.0,
        ])  # fmt: skip
        rows = {outcome.pair: row, Pair(outcome.pair.model): outcome.share * row}  # one entry where the model is alone
        for pair, values in rows.items():
            place = self.place(pair)  # may replace `sums`
            self.sums[cluster, place] += values

    def add_all(self, seen: Observed, cluster_of_task: NDArray[np.int64]) -> None:
        """Many observations at once; for a pair with a tool they count for the model alone, too, by their shares."""
        clusters = cluster_of_task[seen.tasks]
        usd = seen.use[:, 3]
        rows = np.column_stack([
            seen.weights, seen.weights * seen.scores, np.ones(len(usd)), seen.use[:, :3], ~np.isnan(usd), np.nan_to_num(usd)
        ])  # fmt: skip
        own = np.array([self.place(name) for name in seen.names], np.int64)
        alone = np.array([self.place(Pair(name.model)) for name in seen.names], np.int64)
        if len(rows):
            apart = (own != alone)[seen.pairs]
            of_model = seen.shares[:, None] * rows
            np.add.at(self.sums, (clusters, own[seen.pairs]), np.where(apart[:, None], rows, of_model))
            np.add.at(self.sums, (clusters[apart], alone[seen.pairs[apart]]), of_model[apart])

    def counts(self) -> Table:
        """Observations, by weight: clusters x pairs."""
        return self.sums[:, :, _N]

    def overall(self, smoothing: float = SMOOTHING) -> NDArray[np.float64]:
        """Each pair's rate over all clusters, drawn toward its model's, and that toward the mean of the pool."""
        whole = self.sums.sum(axis=0)
        alone = self._alone()
        models = whole[alone].sum(axis=0) if alone.any() else np.zeros(_FIELDS)
        mean = (models[_SOLVED] + 0.5 * smoothing) / (models[_N] + smoothing) if len(models) else 0.5
        rates = (whole[:, _SOLVED] + smoothing * mean) / (whole[:, _N] + smoothing)
        own = self._own()
        drawn = (whole[:, _SOLVED] + smoothing * rates[own]) / (whole[:, _N] + smoothing) if len(own) else rates
        found: NDArray[np.float64] = np.where(alone, rates, drawn)
        return found

    def accuracy(self, smoothing: float = SMOOTHING) -> Table:
        """(successes + c * expected) / (observations + c): clusters x pairs.

        Of a model alone its rate over all clusters is expected. Of a pair with a tool: that pair's rate over all clusters,
        drawn toward what its model does in this cluster with whatever tools; a tool that a cluster's tasks never use may
        well have served other tasks.
        """
        overall, solved, counts = self.overall(smoothing), self.sums[:, :, _SOLVED], self.counts()
        own = self._own()
        by_model = (solved[:, own] + smoothing * overall) / (counts[:, own] + smoothing)
        expected = np.where(self._alone(), overall, by_model)
        found: Table = (solved + smoothing * expected) / (counts + smoothing)
        return found

    def _alone(self) -> NDArray[np.bool_]:
        return np.array([not pair.tool for pair in self.names], bool)

    def _own(self) -> NDArray[np.int64]:
        """For each pair the column of its model alone."""
        return np.array([self._places.get(Pair(pair.model), place) for place, pair in enumerate(self.names)], np.int64)

    def unseen(self) -> float:
        """What is believed of a pair of which nothing is known: the mean of the pool, drawn toward one half."""
        whole = self.sums.sum(axis=0)
        alone = self._alone()
        sums = whole[alone].sum(axis=0) if alone.any() else np.zeros(_FIELDS)
        return float((sums[_SOLVED] + 0.5 * SMOOTHING) / (sums[_N] + SMOOTHING))

    def use(self) -> Table:
        """Means of prompt tokens, generated tokens, seconds and recorded USD (not a number where never recorded).

        Clusters + 1 rows, the last one over all clusters; where a pair was not seen in a cluster, its mean over all.
        """
        sums = np.concatenate([self.sums, self.sums.sum(axis=0, keepdims=True)])
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums[:, :, [_PROMPT, _GENERATED, _SECONDS]] / sums[:, :, _RUNS, None]
            usd = sums[:, :, _USD] / sums[:, :, _PRICED]
        found = np.concatenate([means, usd[:, :, None]], axis=2)
        return np.where(np.isnan(found), found[-1:], found)
