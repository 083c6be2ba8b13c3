"""`atlas route replay`: all routers on recorded outcomes, training and test half kept apart."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...runtime.routing.encoder import Encoder, WordEncoder
from .measures import Picked, area, arena, by_task, interval, picked, saved_at_equal_accuracy
from .recorded import Recorded, means
from .routers import PEERS, Beliefs, Fitted, beliefs, cluster_router

COST_WEIGHTS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
ORACLES = ("task_oracle", "oracle")
OURS = "cluster"


@dataclass(frozen=True, slots=True)
class Replay:
    """Choices of every router on the test half."""

    test: Recorded
    picks: Mapping[str, Picked]
    curves: Mapping[str, Sequence[tuple[float, float, float]]]
    """(cost weight, USD for 1,000 questions, accuracy)."""
    inside: np.ndarray
    """Test questions of tasks that the training half has."""
    clusters: int
    milliseconds: float
    """For one decision of ours, after the encoding."""

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        single, ours = self.picks["best_single"], self.picks[OURS]
        return {
            "routers": {name: self._figures(name, one, single, ours) for name, one in self.picks.items()},
            "n": len(self.test.questions), "pairs": [str(pair) for pair in self.test.pairs],
            "clusters": self.clusters, "milliseconds": round(self.milliseconds, 4), "best_other": self.best_other(),
        }  # fmt: skip

    def best_other(self) -> str:
        """The best router that is neither an oracle nor ours."""
        others = [name for name in self.picks if name not in (*ORACLES, OURS)]
        return max(others, key=lambda name: self.picks[name].accuracy)

    def _figures(self, name: str, one: Picked, single: Picked, ours: Picked) -> dict[str, Any]:
        oracle = self.picks["oracle"]
        found: dict[str, Any] = {
            "accuracy": one.accuracy, "cost": one.cost, "per_thousand": one.per_thousand, "in": _mean(one, self.inside),
            "out": _mean(one, ~self.inside), "interval": list(interval(one.scores)),
            "gain": one.accuracy - single.accuracy, "gain_interval": list(interval(one.scores - single.scores)),
            "ours_minus_this": list(interval(ours.scores - one.scores)), "gap": oracle.accuracy - one.accuracy,
            "arena": arena(one.accuracy, one.per_thousand), "tasks": by_task(self.test, one),
        }  # fmt: skip
        if name in self.curves:
            points = [(usd, accuracy) for _, usd, accuracy in self.curves[name]]
            usual = 1_000 * means(self.test.costs)
            found["saved_at_equal_accuracy"] = saved_at_equal_accuracy(points, single)
            found["aiq"] = area(points, float(usual.min()), float(usual.max()))
            found["curve"] = [list(point) for point in self.curves[name]]
        return found


def fitted(data: Recorded, encoder: Encoder | None = None, *, seed: int = 0) -> Fitted:
    """Both halves as vectors; the word encoder is fitted on the training half."""
    train, test = data.part(data.train), data.part(~data.train)
    made = encoder or WordEncoder.fit(train.questions, seed=seed)
    return Fitted(train, test, made.encode(train.questions), made.encode(test.questions), seed)


def replay(data: Recorded, *, cost_weight: float = 0.0, encoder: Encoder | None = None, seed: int = 0) -> Replay:
    """Fit every router on the training half and let it choose for the test half."""
    return replay_fitted(fitted(data, encoder, seed=seed), cost_weight=cost_weight)


def replay_fitted(halves: Fitted, *, cost_weight: float = 0.0) -> Replay:
    """The same with vectors that are there already."""
    test = halves.test
    picks, curves = {"random": _random(test)}, dict[str, list[tuple[float, float, float]]]()
    router = cluster_router(halves)
    believed = {name: make(halves) for name, make in PEERS.items()} | {OURS: beliefs(router, halves)}
    for name, belief in believed.items():
        picks[name] = picked(test, belief.choices(cost_weight, test.scores))
        curves[name] = curve(test, belief)
    picks["task_oracle"], picks["oracle"] = _task_oracle(test), _oracle(test)
    inside = np.isin(test.tasks, np.unique(halves.train.tasks))
    return Replay(
        test, picks, curves, inside, router.clusters.count if router.clusters else 1, _milliseconds(router, halves)
    )


def curve(test: Recorded, belief: Beliefs) -> list[tuple[float, float, float]]:
    """(cost weight, USD for 1,000 questions, accuracy) of a router."""
    found = []
    for weight in COST_WEIGHTS:
        one = picked(test, belief.choices(weight, test.scores))
        found.append((weight, one.per_thousand, one.accuracy))
    return found


def _random(test: Recorded) -> Picked:
    """What choosing at random comes to on average."""
    return Picked(np.nanmean(test.scores, axis=1), np.nanmean(test.costs, axis=1))


def _task_oracle(test: Recorded) -> Picked:
    """The best pair of each task, chosen on the test half; one that is not recorded for a question is not taken."""
    choices = np.zeros(len(test.questions), np.int64)
    for task in np.unique(test.tasks):
        rows = np.flatnonzero(test.tasks == task)
        choices[rows] = np.where(np.isnan(test.scores[rows]), -np.inf, means(test.scores[rows])).argmax(axis=1)
    return picked(test, choices)


def _oracle(test: Recorded) -> Picked:
    """The best pair of each question, the cheapest among equals."""
    best = np.nanmax(test.scores, axis=1, keepdims=True)
    return picked(test, np.where(test.scores == best, test.costs, np.inf).argmin(axis=1))


def _mean(one: Picked, rows: np.ndarray) -> float | None:
    return float(one.scores[rows].mean()) if rows.any() else None


def _milliseconds(router: Any, halves: Fitted) -> float:
    count = min(200, len(halves.test_vectors))
    started = time.process_time()
    for vector in halves.test_vectors[:count]:
        router.decide(vector, halves.test.pairs, {})
    return 1_000 * (time.process_time() - started) / count
