"""Routers on recorded outcomes: reading, the measures, and what each router must do on outcomes made for it."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.cli import invoke
from atlas.runtime.routing.errors import OutcomesError
from atlas.runtime.routing.outcomes import Pair
from atlas.training.routing.generated import Shape, generated
from atlas.training.routing.joint import joint_against_model
from atlas.training.routing.measures import Picked, area, arena, interval, saved_at_equal_accuracy
from atlas.training.routing.recorded import read_recorded, recorded
from atlas.training.routing.replay import Replay, fitted, replay
from atlas.training.routing.routers import beliefs, cluster_router

KINDS = ("count the words of report {}", "convert {} miles to metres", "plot the equation number {}")


def rows(train: int = 120, test: int = 60, *, foreign: bool = False) -> list[dict[str, Any]]:
    """Each of three models solves one kind of task, nearly always; the last is the dearest."""
    rng = np.random.default_rng(3)
    made = []
    for number in range(train + test):
        kind = number % 3
        split, task = ("train" if number < train else "test"), f"kind {kind}"
        if foreign and number == train:
            task = "never seen"
        for model in range(3):
            score = float(rng.random() < (0.95 if model == kind else 0.1))
            made.append({
                "question": KINDS[kind].format(number), "task": task, "split": split, "model": f"m{model}", "score": score,
                "cost": 0.001 * (model + 1),
            })  # fmt: skip
    return made


@pytest.fixture(scope="module")
def found() -> Replay:
    return replay(recorded(rows(foreign=True)))


def test_every_router_is_there_and_the_oracles_are_above_all(found: Replay):
    routers = found.to_json()["routers"]
    assert set(routers) == {
        "random", "best_single", "knn", "linear", "avengers_pro", "cluster", "task_oracle", "oracle",
    }  # fmt: skip
    assert routers["oracle"]["accuracy"] == max(one["accuracy"] for one in routers.values())
    assert routers["random"]["accuracy"] < 0.5 < routers["cluster"]["accuracy"]


def test_clusters_find_what_each_model_is_good_at(found: Replay):
    routers = found.to_json()["routers"]
    assert routers["cluster"]["accuracy"] > 0.85
    assert routers["cluster"]["cost"] == pytest.approx(0.002, abs=0.0002)  # the mean of one question
    assert routers["cluster"]["gain_interval"][0] > 0.3
    assert routers["cluster"]["tasks"]["kind 1"]["dominant"] > 0.9


def test_what_was_never_seen_in_training_is_counted_apart(found: Replay):
    ours = found.to_json()["routers"]["cluster"]
    whole = (ours["in"] * 59 + ours["out"] * 1) / 60
    assert whole == pytest.approx(ours["accuracy"])


def test_dearer_is_left_out_as_cost_weighs_more(found: Replay):
    spent = [usd for _, usd, _ in found.curves["cluster"]]
    assert spent[-1] == pytest.approx(1.0) and spent[0] > 1.5
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(spent))


def test_replay_decides_as_the_runtime_does():
    halves = fitted(recorded(rows()))
    router = cluster_router(halves)
    believed = beliefs(router, halves).choices(0.1, halves.test.scores)
    decided = [router.decide(vector, halves.test.pairs, {}, cost_weight=0.1).chosen.pair for vector in halves.test_vectors]
    assert [halves.test.pairs[at] for at in believed] == decided


def test_outcomes_that_were_not_recorded_are_not_chosen():
    kept = [row for at, row in enumerate(rows()) if at % 4]
    found = replay(recorded(kept))
    assert not np.isnan([one.accuracy for one in found.picks.values()]).any()
    assert found.picks["cluster"].accuracy > found.picks["random"].accuracy


def test_model_and_tool_chosen_together_beat_the_model_alone_where_they_interact():
    shape = Shape(families=4, models=3, tools=3, train=400, test=300, interaction=0.9)
    halves = fitted(recorded(generated(shape, seed=1)))
    found = joint_against_model(halves).to_json()
    assert found["gain_interval"][0] > 0.03
    assert found["oracle"] > found["together"]


def test_generated_outcomes_are_the_same_for_the_same_seed():
    shape = Shape(train=5, test=5)
    assert list(generated(shape, seed=2)) == list(generated(shape, seed=2))
    assert recorded(generated(shape, seed=2)).pairs[0] == Pair("model-0", "tool-0")


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = np.repeat([0.0, 1.0], 200)
    low, high = interval(values)
    assert (low, high) == pytest.approx((0.451, 0.549), abs=0.006)
    assert interval(np.zeros(50)) == (0.0, 0.0)


def test_saving_is_measured_at_the_cheapest_point_that_is_as_good():
    single = Picked(np.array([1.0, 0.0]), np.array([0.01, 0.01]))
    assert saved_at_equal_accuracy([(10.0, 0.6), (4.0, 0.5), (1.0, 0.4)], single) == pytest.approx(0.6)
    assert saved_at_equal_accuracy([(1.0, 0.4)], single) is None


def test_the_area_is_under_the_hull_and_never_falls():
    assert area([(0.0, 0.5), (1.0, 0.5)], 0.0, 1.0) == pytest.approx(0.5)
    assert area([(0.0, 0.0), (1.0, 1.0)], 0.0, 1.0) == pytest.approx(0.5)
    assert area([(0.0, 0.0), (0.5, 0.2), (1.0, 1.0)], 0.0, 1.0) == pytest.approx(0.5)  # the dent is filled
    assert area([(0.0, 0.4), (0.5, 0.8), (1.0, 0.1)], 0.0, 1.0) == pytest.approx(0.7)  # what falls stays up


def test_the_arena_score_prefers_the_cheaper_of_two_equals():
    assert arena(0.6, 1.0) > arena(0.6, 10.0) > arena(0.5, 10.0)
    assert arena(0.6, 500.0) == 0.0


def test_a_file_is_read_plain_or_compressed_and_printed_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = "".join(json.dumps(row) + "\n" for row in rows(60, 30))
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    assert read_recorded(tmp_path / "a.jsonl").questions == read_recorded(tmp_path / "a.jsonl.gz").questions
    assert invoke(["route", "replay", str(tmp_path / "a.jsonl"), "--json"]) == 0
    routers = json.loads(capsys.readouterr().out)["routers"]
    for name in ("random", "best_single", "knn", "linear", "cluster", "task_oracle", "oracle"):
        assert {"accuracy", "cost", "in", "out", "interval"} <= set(routers[name])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ('["a"]', "no object"),
        ('{"question": "q", "task": "t", "split": "train", "score": 1, "cost": 0}', "model"),
        ('{"question": "q", "task": "t", "split": "dev", "model": "m", "score": 1, "cost": 0}', "split"),
        ('{"question": "q", "task": "t", "split": "train", "model": "m", "score": 1.5, "cost": 0}', "score"),
        ('{"question": "q", "task": "t", "split": "train", "model": "m", "score": 1, "cost": NaN}', "cost"),
        ('{"question": "q", "task": "t", "split": "train", "model": "m", "score": 1, "cost": 0, "tool": 3}', "tool"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str, tmp_path: Path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(rows()[0]) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(OutcomesError, match=said) as caught:
        read_recorded(file)
    assert caught.value.where == f"{file}, line 2"


def test_both_halves_are_needed_and_a_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(OutcomesError, match="test"):
        recorded(rows(30, 0))
    with pytest.raises(OutcomesError) as caught:
        read_recorded(tmp_path / "nowhere.jsonl")
    assert "nowhere.jsonl" in caught.value.where
