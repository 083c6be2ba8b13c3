"""The parts of a run that need no model: options, folder, trial, watch."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from atlas.runtime.errors import UsageError
from atlas.training.adapters.store import WORST_LOSS
from atlas.training.errors import PracticeError, RecipeError
from atlas.training.recipes.folder import RunFolder, new_run, unfinished_run
from atlas.training.recipes.gathering import Pool
from atlas.training.recipes.options import TrainOptions
from atlas.training.recipes.practising import leave_out_unscored, tasks_to_practise
from atlas.training.recipes.reinforce import Online
from atlas.training.recipes.supervised import Phase, Watch, known_already
from atlas.training.recipes.trial import paired_interval


def test_options_survive_the_folder(tmp_path):
    options = TrainOptions(recipe="critical", practice_tools=("mail.find",), steps=7)
    folder = new_run(tmp_path, options, None)
    assert folder.options() == options and unfinished_run(tmp_path, None).path == folder.path
    folder.note(finished=True)
    with pytest.raises(RecipeError, match="no run to go on with"):
        unfinished_run(tmp_path, None)


@pytest.mark.parametrize(
    "wrong",
    [{"share": 0.0}, {"share": 1.5}, {"steps": 0}, {"temperature": 0.0}, {"group": 1}, {"recipe": "dpo"}, {"suite": "x"},
     {"selector": "perplexity"}, {"learning_rate": 2.0}, {"learning_rate": float("nan")}, {"eval_limit": -1}],
)  # fmt: skip
def test_options_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(UsageError) as caught:
        TrainOptions(**{"recipe": "rubric"} | wrong)
    assert caught.value.where.startswith("--") and caught.value.mend


def test_a_torn_line_is_left_out_and_a_phase_goes_back_to_its_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.append("metrics.jsonl", {"phase": "imitate", "step": step})
    folder.append("metrics.jsonl", {"phase": "reinforce", "step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "rein')
    folder.go_back("metrics.jsonl", "imitate", [{"phase": "imitate", "step": 1}])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"phase": "reinforce", "step": 1}, {"phase": "imitate", "step": 1}]


def test_two_processes_never_work_on_one_run(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.held(), pytest.raises(RecipeError, match="another process"), RunFolder(tmp_path).held():
        pass


def test_a_folder_with_a_run_is_not_begun_again(tmp_path):
    new_run(tmp_path, TrainOptions(), tmp_path / "out")
    with pytest.raises(RecipeError, match="a run in this folder"):
        new_run(tmp_path, TrainOptions(), tmp_path / "out")


def test_a_run_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError) as caught:
        new_run(tmp_path, TrainOptions(), tmp_path / "file" / "run")
    assert str(tmp_path / "file") in caught.value.where and caught.value.mend


def test_the_paired_interval_is_that_of_the_difference():
    before = [False] * 300 + [True] * 300
    low, high = paired_interval(before, before)
    assert -0.01 < low < 0.0 < high == -low  # nothing changed in 600 tasks: little can, but not nothing
    low, high = paired_interval(before, [True] * 90 + [False] * 210 + [True] * 300)
    assert 0.11 < low < 0.15 < high < 0.19
    assert paired_interval([], []) == (-1.0, 1.0)


def test_few_tasks_that_all_went_as_before_are_not_told_as_certainty():
    low, high = paired_interval([True] * 30, [True] * 30)
    assert low == -high == pytest.approx(-0.1135, abs=1e-4)  # z^2 / (n + z^2)
    assert paired_interval([True] * 189, [True] * 189)[0] > WORST_LOSS >= paired_interval([True] * 188, [True] * 188)[0]
    assert paired_interval([False] * 100, [True] * 3 + [False] * 97) == pytest.approx((-0.0081, 0.0845), abs=1e-4)


def test_the_paired_interval_of_the_loss_mirrors_that_of_the_gain_and_stays_within_its_bounds():
    assert paired_interval([False] * 30, [True] * 30) == pytest.approx((0.773, 1.0), abs=1e-3)
    assert paired_interval([True] * 30, [False] * 30) == pytest.approx((-1.0, -0.773), abs=1e-3)


def test_a_figure_that_stays_ends_the_phase_after_patience_and_the_count_survives():
    watch = Watch(2)
    assert [watch.worse(value) for value in (1.0, 0.9, 0.9)] == [False, False, False]
    again = Watch(2, **json.loads(json.dumps(watch.state())))
    assert again.worse(0.9)
    assert not Watch(0, 0.5, 99).worse(1.0)


def test_a_run_never_takes_the_log_of_the_user_for_its_own(tmp_path):
    log = tmp_path / "episodes.db"
    log.write_text("mine")
    with pytest.raises(RecipeError, match="other things"):
        new_run(tmp_path, TrainOptions(), tmp_path)
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "episodes.db").write_text("mine, too")
    new_run(tmp_path, TrainOptions(), beside).discard()
    assert log.read_text() == "mine" and (beside / "episodes.db").read_text() == "mine, too"
    (beside / "practice.db").write_text("of another run")
    with pytest.raises(RecipeError, match="other things"):
        new_run(tmp_path, TrainOptions(), beside)


def rewarded(rewards: list[float], patience: int = 4) -> Online:
    learner = SimpleNamespace(options=TrainOptions(patience=patience))
    history = [{"reward": one} for one in rewards]
    online = Online(learner, None, {}, None, None, lambda *_: None, history=history)  # type: ignore[arg-type]
    online._look_for_an_end()
    return online


def test_reinforcement_ends_early_only_where_it_clearly_went_worse():
    noisy = [0.5, 0.7, 0.4, 0.6, 0.5, 0.6, 0.4, 0.7, 0.6, 0.4, 0.6, 0.5]
    assert not rewarded(noisy).ended_early
    assert "clearly below" in rewarded([*noisy, 0.1, 0.0, 0.1, 0.1]).ended_early
    assert not rewarded([*noisy, 0.1, 0.0, 0.1, 0.1], patience=0).ended_early


def test_tasks_whose_place_has_gone_are_left_out_when_a_run_goes_on(tmp_path):
    folder = new_run(tmp_path, TrainOptions(), None)
    folder.note(tasks=["episode:01GONE", "worlds/practice/1/2"], suite="worlds")
    tasks, notes = tasks_to_practise(Pool(), folder, TrainOptions())
    assert list(tasks) == ["worlds/practice/1/2"] and "1 tasks have no safe place" in notes[0]
    with pytest.raises(PracticeError, match="has a safe place"):
        leave_out_unscored(Pool(), SimpleNamespace(kind="rubric"))  # type: ignore[arg-type]


def test_a_run_says_so_where_there_was_nothing_to_learn_from_its_own_successes():
    assert "0.012" in known_already(Phase("imitate", history=[{"loss_ce": 0.012}, {"loss_ce": 0.3}]))[0]
    assert not known_already(Phase("imitate", history=[{"loss_ce": 0.2}, {"loss_ce": 0.01}]))
    assert not known_already(Phase("imitate"))
