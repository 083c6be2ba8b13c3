"""Suites and their scoring: every task runs through the real runtime, sandbox and in-process servers of its world."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from atlas.runtime.errors import UsageError
from atlas.runtime.policies import ScriptedPolicy
from atlas.training.evaluate import EvalReport, evaluate, wilson
from atlas.training.suites import SHARES, SuiteTask, suite_tasks
from atlas.training.worlds.check import same_answer


def score(suite: str, replies: list[str], **options: object) -> EvalReport:
    return asyncio.run(evaluate(suite, model=ScriptedPolicy(replies), **options))  # type: ignore[arg-type]


def references(suite: str, limit: int) -> tuple[list[SuiteTask], list[str]]:
    tasks = list(suite_tasks(suite, "heldout", limit))
    return tasks, [program for item in tasks for program in item.task.programs]


@pytest.mark.parametrize("suite", ["toolbox", "worlds", "worlds:hard"])
def test_the_reference_programs_solve_every_task_of_a_suite(suite: str) -> None:
    tasks, programs = references(suite, 6)
    report = score(suite, programs, limit=6)
    assert [result.why for result in report.results] == [""] * 6
    assert report.to_json()["success"] == 1.0 and report.to_json()["n"] == 6
    assert 0 < report.to_json()["tokens"]["peak"] <= 2048


def test_a_policy_that_answers_at_random_solves_nothing_that_matters() -> None:
    report = score("toolbox", ['answer("banana")'] * 6, limit=6)
    wrong = [result for result in report.results if not result.success]
    assert len(wrong) >= 5 and all(result.why for result in wrong)


def test_giving_up_counts_only_where_no_tool_can_do_it() -> None:
    tasks, _ = references("worlds", 10)
    report = score("worlds", ['answer("Cannot: no tool does this.")'] * 10, limit=10)
    assert [result.success for result in report.results] == [item.task.impossible for item in tasks]


def test_a_suite_is_the_same_every_time_and_known_by_its_shares() -> None:
    first, again = (list(suite_tasks("toolbox", "heldout", 12)) for _ in range(2))
    assert [item.task.text for item in first] == [item.task.text for item in again]
    assert all(sum(shares.values()) == 100 and shares["beyond"] >= 10 for shares in SHARES.values())
    assert all(len(item.world.tools) >= 60 for item in first)


def test_held_out_and_practice_tasks_differ() -> None:
    texts = {split: {item.task.text for item in suite_tasks("worlds", split, 10)} for split in ("practice", "heldout")}
    assert not texts["practice"] & texts["heldout"]


@pytest.mark.parametrize("options", [{"seed": -1}, {"temperature": float("nan")}])
def test_a_wrong_seed_or_temperature_is_told_before_any_task(options: dict[str, float], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(UsageError, match=next(iter(options))):
        score("toolbox", [], out=out, **options)
    assert not out.exists()


def test_a_task_with_half_a_character_is_written(tmp_path: Path) -> None:
    suite, out = tmp_path / "suite.jsonl", tmp_path / "out.jsonl"
    suite.write_text(json.dumps({"task": "say a\ud83d", "answer": 1}))
    score(str(suite), ["answer(1)"], out=out)
    assert json.loads(out.read_text(encoding="utf-8"))["text"] == "say a\ud83d"


def test_a_line_is_written_for_each_task_as_it_ends(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    score("worlds", ["answer(1)"] * 8, limit=2, out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [sorted(row) for row in rows] == [
        ["answer", "family", "seconds", "status", "success", "task", "text", "tokens", "turns", "why"]
    ] * 2


def test_a_persons_own_tasks_run_on_a_copy_of_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text("one\ntwo\n")
    suite = tmp_path / "suite.jsonl"
    lines = [
        {"task": "how many lines?", "workspace": "mine", "answer": 2},
        {"task": "delete it", "workspace": "mine", "check": "test ! -e a.txt"},
        {"task": "delete it", "workspace": "mine", "check": "test ! -e a.txt"},
    ]
    suite.write_text("\n".join(json.dumps(line) for line in lines))
    replies = ['answer(text.count(path="a.txt"))', 'files.delete(path="a.txt")\nanswer("done")', 'answer("no")']
    report = score(str(suite), replies, limit=10)
    assert [result.success for result in report.results] == [True, True, False]
    assert (folder / "a.txt").exists()


@pytest.mark.parametrize(
    "line", ["nonsense", '{"task": ""}', '{"task": "x"}', '{"task": "x", "workspace": "gone", "answer": 1}']
)
def test_a_malformed_line_of_tasks_is_named(tmp_path: Path, line: str) -> None:
    suite = tmp_path / "suite.jsonl"
    suite.write_text("\n" + line + "\n")
    with pytest.raises(UsageError) as caught:
        score(str(suite), ["answer(1)"])
    assert f"{suite}:2" in caught.value.where and caught.value.mend


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        score("nonsense", ["answer(1)"])
    assert "toolbox" in caught.value.mend


def test_the_interval_is_wilsons() -> None:
    assert wilson(85, 100) == (0.7672, 0.9069)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (5, "5", True), (5, 5.0, True), (5, "There are 5 files.", True), (5, "5 of 7", False), (True, "yes", True),
        (True, 1, False),
        ("Rome", "rome", True), ("Rome", "The city is Rome.", True), ("Rome", "Romeo", False), ([1, 2], [2, 1], True),
        ({"a": 1}, {"a": "1"}, True), ({"a": 1}, {"b": 1}, False), ([1, 1, 2], [1, 2, 2], False), (0.1 + 0.2, 0.3, True),
    ],
)  # fmt: skip
def test_answers_agree_as_a_person_would_say(expected: object, got: object, same: bool) -> None:
    assert same_answer(expected, got) is same
