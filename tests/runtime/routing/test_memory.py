"""What routing learns from the episode log, and what it keeps on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.errors import OutcomesError
from atlas.runtime.routing.log import logged
from atlas.runtime.routing.memory import FILE_NAME, Memory
from atlas.runtime.routing.outcomes import Pair
from atlas.runtime.routing.pool import Pool, PoolModel

POOL = Pool({"small": PoolModel(model="nano"), "large": PoolModel(model="http://127.0.0.1:9/v1#x", input_price=1.0)})
Log = Callable[..., str]


def scores(store: EpisodeStore) -> list[tuple[Pair, float, float]]:
    return [(one.pair, one.score, one.weight) for episode in logged(store, POOL) for one in episode.outcomes]


def test_verdicts_count_in_full_and_answers_nobody_checked_count_half(store: EpisodeStore, log: Log):
    log("a", "small", reward=1.0)
    log("b", "small", reward=0.0)
    log("c", "small")
    log("d", "small", "gave_up")
    log("e", "small", "error")
    assert [row[1:] for row in scores(store)] == [(1, 1), (0, 1), (1, 0.5), (0, 0.5), (0, 1)]


def test_each_server_that_was_called_makes_a_pair(store: EpisodeStore, log: Log):
    log("a", "small", servers=("files", "text", "files"))
    assert {row[0] for row in scores(store)} == {Pair("small", "files"), Pair("small", "text")}


def test_a_run_with_several_servers_is_one_run_of_its_model(store: EpisodeStore, log: Log, atlas_home: str):
    log("a", "small", reward=1.0, servers=("files", "text", "units"))
    log("b", "small", reward=0.0)
    memory = Memory(Path(atlas_home), store, POOL)
    memory.load()
    statistics = memory.router.statistics
    counts = dict(zip(statistics.names, statistics.counts().sum(axis=0).tolist(), strict=True))
    assert counts[Pair("small")] == pytest.approx(2)
    assert [counts[Pair("small", server)] for server in ("files", "text", "units")] == [1, 1, 1]
    assert statistics.overall()[statistics.find(Pair("small"))] == pytest.approx(0.5)  # one of two, not three of four


def test_held_out_forked_unfinished_and_foreign_episodes_are_left_out(store: EpisodeStore, log: Log):
    log("a", "small", split="heldout")
    log("b", "small", parent=log("b", "nobody"))
    log("c", "small", "interrupted")
    log("d", "elsewhere")
    assert scores(store) == []


def test_a_run_without_routing_counts_for_the_model_of_the_same_spec(store: EpisodeStore, log: Log):
    log("a", "x", settings={"model_spec": "nano"})
    log("b", "x", settings={"model_spec": "other.gguf"})
    assert [row[0].model for row in scores(store)] == ["small"]


def two_kinds(log: Log, count: int = 20) -> None:
    """The small model counts words well, the large one converts units well."""
    for number in range(count):
        for model in ("small", "large"):
            counting, converting = float(model == "small"), float(model == "large")
            log(f"How many words are in the file notes{number}.md?", model, reward=counting, servers=("text",))
            log(f"Convert {number} miles into kilometres for me", model, reward=converting, servers=("units",))


def test_logged_tasks_become_clusters_and_clusters_decide(store: EpisodeStore, log: Log, atlas_home: str):
    two_kinds(log)
    chooser = Chooser(POOL, store, Path(atlas_home), cost_weight=0.0)
    chooser.load()
    clusters = chooser.memory.router.clusters
    assert clusters is not None and clusters.count >= 2
    counting = chooser.decide("How many words are in the file notes7.md?", ["units", "text"])
    converting = chooser.decide("Convert 12 miles into kilometres for me", ["text", "units"])
    assert (counting.chosen.pair, converting.chosen.pair) == (Pair("small", "text"), Pair("large", "units"))
    assert counting.evidence and converting.evidence


def test_clusters_are_kept_and_what_was_rated_since_is_in_force(store: EpisodeStore, log: Log, atlas_home: str):
    two_kinds(log, 15)
    first = Memory(Path(atlas_home), store, POOL)
    first.load()
    file = Path(atlas_home) / FILE_NAME
    made = file.stat().st_mtime_ns
    assert file.stat().st_mode & 0o777 == 0o600
    for row in store.list(limit=100):
        store.set_outcome(row.id, "rated", 0.0)
    again = Memory(Path(atlas_home), store, POOL)
    again.load(lambda line: pytest.fail(f"made anew: {line}"))
    assert file.stat().st_mtime_ns == made
    assert again.router.statistics.accuracy().max() < 0.2 < first.router.statistics.accuracy().max()


def test_an_episode_counts_as_soon_as_it_is_finished(store: EpisodeStore, log: Log, atlas_home: str):
    memory = Memory(Path(atlas_home), store, POOL)
    memory.load()
    memory.learn(log("a", "small", servers=("files",)))
    assert memory.router.statistics.counts().sum() == pytest.approx(2 * 0.5)  # the pair, and the model alone


def test_with_few_episodes_there_are_no_clusters_and_decisions_all_the_same(store: EpisodeStore, log: Log, atlas_home: str):
    log("a", "large", reward=1.0)
    chooser = Chooser(POOL, store, Path(atlas_home), cost_weight=0.0)
    chooser.load()
    decision = chooser.decide("anything", ["files"])
    assert decision.fallback == "no_clusters" and decision.chosen.pair == Pair("large", "files")
    assert not (Path(atlas_home) / FILE_NAME).exists()


def test_a_damaged_file_is_named(store: EpisodeStore, log: Log, atlas_home: str):
    (Path(atlas_home) / FILE_NAME).write_bytes(b"not clusters")
    with pytest.raises(OutcomesError) as caught:
        Memory(Path(atlas_home), store, POOL).load()
    assert caught.value.where.endswith(FILE_NAME) and "remove it" in caught.value.mend


def test_without_scikit_learn_all_tasks_are_one_cluster_and_the_notice_says_what_to_install(
    store: EpisodeStore, log: Log, atlas_home: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    two_kinds(log, 15)
    notices: list[str] = []
    chooser = Chooser(POOL, store, Path(atlas_home))
    chooser.load(notices.append)
    assert any(".[route]" in line for line in notices)
    assert chooser.decide("Convert 12 miles into kilometres for me").fallback == "no_clusters"
