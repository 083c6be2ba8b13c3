"""The cluster router: what it believes of a pair, what a task costs, and when it falls back."""

from __future__ import annotations

import numpy as np
import pytest

from atlas.runtime.routing.choosing import choose_count
from atlas.runtime.routing.clusters import Clusters, fit_clusters
from atlas.runtime.routing.encoder import Vectors, WordEncoder, unit
from atlas.runtime.routing.features import features
from atlas.runtime.routing.outcomes import Outcome, Pair, observed
from atlas.runtime.routing.router import ClusterRouter
from atlas.runtime.routing.statistics import SMOOTHING, Statistics

FREE = {"small": (0.0, 0.0, 0.0), "large": (0.0, 0.0, 0.0)}
PRICED = {"small": (1e-6, 1e-6, 0.0), "large": (1e-5, 1e-5, 0.0)}
SMALL, LARGE = Pair("small"), Pair("large")


def two_clusters() -> Clusters:
    return Clusters(np.array([[1, 0], [0, 1]], np.float32), np.array([0.5, 0.5], np.float32))


def at(x: float, y: float) -> Vectors:
    return np.array([x, y], np.float32)


def solved(pair: Pair, count: int, score: float, *, tokens: float = 1_000) -> list[Outcome]:
    return [Outcome("task", pair, score, 1.0, tokens, 100, 1.0)] * count


def router(clusters: Clusters | None = None, **by_cluster: list[Outcome]) -> ClusterRouter:
    found = clusters or two_clusters()
    statistics = Statistics(found.count)
    for name, outcomes in by_cluster.items():
        for outcome in outcomes:
            statistics.add(int(name.removeprefix("c")), outcome)
    return ClusterRouter(found, statistics)


def test_each_cluster_has_its_own_best_pair():
    both = router(c0=solved(SMALL, 50, 1.0) + solved(LARGE, 50, 0.0), c1=solved(SMALL, 50, 0.0) + solved(LARGE, 50, 1.0))
    assert both.decide(at(1, 0), [SMALL, LARGE], FREE).chosen.pair == SMALL
    assert both.decide(at(0, 1), [SMALL, LARGE], FREE).chosen.pair == LARGE


def test_one_lucky_success_does_not_make_a_pair_certain():
    lucky = router(c0=solved(SMALL, 1, 1.0) + solved(LARGE, 200, 0.9), c1=solved(SMALL, 99, 0.5))
    decision = lucky.decide(at(1, 0), [SMALL, LARGE], FREE, nearest=1)
    assert decision.chosen.pair == LARGE
    row = next(row for row in decision.rows if row.pair == SMALL)
    whole = (1 + 99 * 0.5 + SMOOTHING * (1 + 99 * 0.5 + 180 + 0.5 * SMOOTHING) / (300 + SMOOTHING)) / (100 + SMOOTHING)
    assert row.accuracy == pytest.approx((1 + SMOOTHING * whole) / (1 + SMOOTHING))


def test_cost_is_a_share_of_the_dearest_pair_in_the_cluster():
    equal = router(c0=solved(SMALL, 50, 0.8) + solved(LARGE, 50, 0.85))
    rows = {row.pair: row for row in equal.decide(at(1, 0), [SMALL, LARGE], PRICED, cost_weight=0.2, nearest=1).rows}
    assert rows[LARGE].cost == 1.0
    assert rows[SMALL].cost == pytest.approx(0.1)
    assert rows[SMALL].cost_usd == pytest.approx(1_100e-6)
    assert rows[SMALL].utility == pytest.approx(0.8 * rows[SMALL].accuracy - 0.2 * 0.1)


def test_the_cost_weight_decides_between_cheap_and_good():
    both = router(c0=solved(SMALL, 200, 0.7) + solved(LARGE, 200, 0.8))
    assert both.decide(at(1, 0), [SMALL, LARGE], PRICED, cost_weight=0.0).chosen.pair == LARGE
    assert both.decide(at(1, 0), [SMALL, LARGE], PRICED, cost_weight=0.3).chosen.pair == SMALL


def test_a_task_far_from_every_cluster_is_judged_by_all_tasks():
    both = router(c0=solved(SMALL, 50, 1.0) + solved(LARGE, 50, 0.9), c1=solved(SMALL, 50, 0.0) + solved(LARGE, 50, 0.9))
    near = both.decide(at(1, 0), [SMALL, LARGE], FREE)
    far = both.decide(at(-1, -1), [SMALL, LARGE], FREE)
    assert (near.fallback, near.chosen.pair) == (None, SMALL)
    assert (far.fallback, far.chosen.pair) == ("far", LARGE)
    assert "far from every cluster" in far.reason


def test_a_pair_that_is_new_is_judged_by_its_model_and_a_new_model_by_the_pool():
    known = router(c0=solved(Pair("small", "files"), 40, 1.0) + solved(Pair("large", "files"), 40, 0.2))
    new = Pair("newcomer", "files")
    decision = known.decide(at(1, 0), [Pair("small", "text"), Pair("large", "text"), new], FREE)
    rows = {row.pair.model: row for row in decision.rows}
    assert decision.fallback == "hardly_seen" and rows["small"].seen == 0
    assert rows["small"].accuracy > rows["newcomer"].accuracy > rows["large"].accuracy


def test_model_and_server_are_chosen_together():
    outcomes = [
        *solved(Pair("small", "files"), 40, 0.9), *solved(Pair("small", "tables"), 40, 0.1),
        *solved(Pair("large", "files"), 40, 0.6), *solved(Pair("large", "tables"), 40, 0.7),
    ]  # fmt: skip
    both = router(c0=outcomes)
    pairs = [Pair(model, server) for model in ("small", "large") for server in ("tables", "files")]
    assert both.decide(at(1, 0), pairs, FREE).chosen.pair == Pair("small", "files")
    assert both.decide(at(1, 0), pairs[::2], FREE).chosen.pair == Pair("large", "tables")


def test_equal_pairs_come_cheapest_first_and_then_in_the_order_given():
    nothing = router()
    assert [row.pair for row in nothing.decide(at(1, 0), [LARGE, SMALL], FREE).rows] == [LARGE, SMALL]
    assert nothing.decide(at(1, 0), [LARGE, SMALL], PRICED).chosen.pair == SMALL


def test_a_finished_task_changes_the_next_decision():
    one = router(c0=solved(SMALL, 5, 1.0) + solved(LARGE, 5, 0.9))
    assert one.decide(at(1, 0), [SMALL, LARGE], FREE).chosen.pair == SMALL
    for outcome in solved(SMALL, 5, 0.0):
        one.learn(at(1, 0), outcome)
    assert one.decide(at(1, 0), [SMALL, LARGE], FREE).chosen.pair == LARGE


def test_many_observations_at_once_count_as_one_by_one():
    pairs = [Pair("a"), Pair("a", "files"), Pair("b", "text")]
    rng = np.random.default_rng(0)
    outcomes = [
        Outcome(f"task {number}", pairs[rng.integers(3)], float(rng.random()), float(rng.random()), 10, 20, 30, usd, share)
        for number, (usd, share) in enumerate([(None, 1.0), (0.5, 1 / 3)] * 30)
    ]
    seen = observed(outcomes)
    at_once, one_by_one = Statistics(2), Statistics(2)
    at_once.add_all(seen, np.arange(len(seen.texts)) % 2)
    for number, outcome in enumerate(outcomes):
        one_by_one.add(number % 2, outcome)
    order = [at_once.place(name) for name in one_by_one.names]
    assert np.allclose(at_once.sums[:, order], one_by_one.sums)
    assert np.allclose(at_once.accuracy()[:, order], one_by_one.accuracy())


def test_the_number_of_clusters_comes_from_what_they_predict():
    rng = np.random.default_rng(7)
    kinds = rng.integers(0, 4, 240)
    vectors = unit(np.eye(8)[kinds] + 0.05 * rng.normal(size=(240, 8)))
    tell_apart = [
        Outcome(f"{row}", Pair(f"m{model}"), float(model == kinds[row])) for row in range(240) for model in range(4)
    ]
    all_alike = [Outcome(f"{row}", Pair(f"m{model}"), float(rng.random() < 0.5)) for row in range(240) for model in range(4)]
    assert choose_count(vectors, observed(tell_apart))[0] == 4
    assert choose_count(vectors, observed(all_alike))[0] == 1
    assert choose_count(vectors[:20], observed(tell_apart[:80])) == (1, [])


def test_clusters_are_the_same_every_time_and_know_what_is_far():
    rng = np.random.default_rng(1)
    vectors = unit(np.eye(6)[rng.integers(0, 3, 90)] + 0.1 * rng.normal(size=(90, 6)))
    first, second = fit_clusters(vectors, 3), fit_clusters(vectors, 3)
    assert np.array_equal(first.centroids, second.centroids)
    assert not first.near(vectors[0]).far
    assert first.near(np.eye(6, dtype=np.float32)[5]).far
    assert first.near(vectors[0]).weights.sum() == pytest.approx(1)


def test_features_do_not_depend_on_the_process_and_similar_tasks_are_near():
    assert features("Count the words in notes.md") == features("Count the words in notes.md")
    texts = [f"count the words in file {number}.md" for number in range(20)]
    texts += [f"convert {number} miles to kilometres please" for number in range(20)]
    encoder = WordEncoder.fit(texts)
    count, other, convert = encoder.encode(["count all words in a.md", "count words of b.md", "convert 3 miles"])
    assert count @ other > count @ convert
    assert np.linalg.norm(count) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(encoder.encode([""]), np.zeros((1, encoder.arrays()["directions"].shape[1]), np.float32))
