"""Rubrics: refused where they weigh nothing or contradict themselves, kept and edited as files, made from references."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from atlas.training.errors import RubricError
from atlas.training.rubrics import (
    Check,
    Rubric,
    RubricCriterion,
    RubricStore,
    load_rubric,
    plain_rubric,
    rubric_of_world,
    save_rubric,
)
from atlas.training.rubrics.files import rubric_text
from atlas.training.worlds.composed import composed_world
from atlas.training.worlds.rehearse import rehearse
from atlas.training.worlds.workspace import workspace_world

FILE = """
task = "How many words are in notes.md?"

[gates]
max_calls = 5

[[criteria]]
category = "fulfilment"
text = "The answer is the number of words in notes.md"
weight = 10

[[criteria]]
category = "tool"
text = "Calls text.count"
weight = 7
check = { kind = "called", tools = ["text.count"], at_most = 2 }
"""


def one(text: str = "Is right", category: str = "fulfilment", weight: float = 5, check: Check | None = None) -> Any:
    return RubricCriterion(f"{category} {text}", category, text, weight, check)  # type: ignore[arg-type]


def test_a_rubric_is_read_from_toml(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(FILE)
    rubric = load_rubric(tmp_path / "r.toml")
    assert [criterion.id for criterion in rubric.criteria] == ["fulfilment-1", "tool-1"]
    assert rubric.gates.max_calls == 5 and rubric.gates.format and rubric.version == 1
    assert rubric.criterion("tool-1").check == Check("called", {"tools": ["text.count"], "at_most": 2})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('task = "How many words are in notes.md?"', "", "names no task"),
        ("weight = 10", "weight = 0", "the weight is 0"),
        ("weight = 10", 'weight = "much"', "the weight is 'much'"),
        ("weight = 10", "weight = inf", "the weight is inf"),
        ('"tool"\n', '"style"\n', "no category 'style'"),
        ('kind = "called"', 'kind = "caled"', "no check 'caled'"),
        ('tools = ["text.count"], ', "", "lacks tools"),
        ("at_most = 2", "at_mots = 2", "has no 'at_mots'"),
        ("at_most = 2", 'at_most = "2"', "at_most of the check called is '2'"),
        ("max_calls = 5", "max_call = 5", "no gate option 'max_call'"),
        ("max_calls = 5", "max_calls = -1", "max_calls is -1"),
        ("weight = 7", "weigth = 7", "unknown key 'weigth'"),
        ("[[criteria]]", "[[criterion]]", "unknown key 'criterion'"),
        ("weight = 10", "weight = ", "not valid TOML"),
        ("Calls text.count", "", "has no text"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in FILE
    (tmp_path / "r.toml").write_text(FILE.replace(old, new))
    with pytest.raises(RubricError) as told:
        load_rubric(tmp_path / "r.toml")
    assert why in told.value.message
    assert "r.toml" in told.value.where and told.value.mend


def test_a_missing_file_and_one_without_criteria_are_told(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="cannot be read"):
        load_rubric(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text('task = "x"\n')
    with pytest.raises(RubricError, match="no criteria"):
        load_rubric(tmp_path / "r.toml")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (one("Calls mail.send"), one("Does not call mail.send")),
        (one("The answer is a number", "tool"), one("The answer is not a number")),
        (one("a", check=Check("answered")), one("b", check=Check("refused"))),
        (one("a", check=Check("called", {"tools": ["m.x"]})), one("b", check=Check("avoided", {"tools": ["m.x"]}))),
        (
            one("a", check=Check("called", {"tools": ["m.x"], "at_least": 3})),
            one("b", check=Check("called", {"tools": ["m.x"], "at_most": 2})),
        ),
        (
            one("a", check=Check("order", {"tools": ["m.x", "m.y"]})),
            one("b", check=Check("order", {"tools": ["m.y", "m.x"]})),
        ),
        (one("a", check=Check("answer", {"equals": 1})), one("b", check=Check("answer", {"equals": 2}))),
        (one("a", check=Check("called", {"tools": ["m.x"], "at_least": 3})), one("b", check=Check("within", {"calls": 2}))),
    ],
)
def test_criteria_that_contradict_each_other_are_refused(left: RubricCriterion, right: RubricCriterion) -> None:
    with pytest.raises(RubricError, match="contradict"):
        Rubric("t", (left, right))
    with pytest.raises(RubricError, match="contradict"):
        Rubric("t", (right, left))


def test_a_criterion_said_twice_and_an_id_used_twice_are_refused() -> None:
    with pytest.raises(RubricError, match="say the same"):
        Rubric("t", (RubricCriterion("a", "tool", "Calls x.y."), RubricCriterion("b", "tool", "calls  x.y")))
    with pytest.raises(RubricError, match="two criteria are called 'a'"):
        Rubric("t", (RubricCriterion("a", "tool", "One"), RubricCriterion("a", "tool", "Two")))


def test_categories_that_weigh_nothing_are_refused() -> None:
    with pytest.raises(RubricError, match="weigh nothing"):
        Rubric("t", (one(),), weights={"tool": 1.0})
    with pytest.raises(RubricError, match="weigh nothing"):
        Rubric("t", (one(),), weights={"fulfilment": 0.0})
    with pytest.raises(RubricError, match="unknown categories"):
        Rubric("t", (one(),), weights={"style": 1.0})  # type: ignore[dict-item]


def test_a_rubric_survives_its_file_whatever_its_texts_hold(tmp_path: Path) -> None:
    odd = "say \"é\\n' \x7f # [x] = {y}\ttab\nline 😀"
    check = Check("argument", {"tool": "a.b", "name": "p", "equals": {"x y": [1, 2.5, True, odd]}})
    rubric = Rubric(odd, (one(odd, check=check), one("two", "tool", 0.5)), source="user", changing=("a.b",))
    assert load_rubric(save_rubric(rubric, tmp_path / "r.toml")) == rubric


def test_the_store_keeps_every_version_and_finds_the_last(tmp_path: Path) -> None:
    store = RubricStore(tmp_path)
    assert store.get("a task") is None
    first = store.put(plain_rubric("a task"))
    assert store.put(plain_rubric("a  task\n")).version == 2  # its text differs, the task is the same
    changed = store.put(first.next_version(criteria=first.criteria[:-1]))
    assert changed.version == 3 and store.put(changed).version == 3
    assert store.get("a task") == changed
    assert [rubric.version for rubric in store] == [3] and len(list(store.folder.glob("*.toml"))) == 3


def test_a_person_edits_a_rubric_and_a_damaged_edit_is_told(tmp_path: Path) -> None:
    store = RubricStore(tmp_path)
    kept = store.put(plain_rubric("a task"))
    path = store.path(kept)
    path.write_text(path.read_text().replace("weight = 10", "weight = 3"))
    edited = store.get("a task")
    assert edited is not None and edited.criteria[0].weight == 3 and edited.fingerprint != kept.fingerprint
    path.write_text(path.read_text().replace('"a task"', '"another task"'))
    with pytest.raises(RubricError, match="another task"):
        store.get("a task")


def test_every_task_of_both_kinds_of_world_has_a_rubric_with_checks() -> None:
    for make in (composed_world, workspace_world):
        for split in ("practice", "heldout"):
            world = make(3, split, tasks=8, tool_count=30)
            for task in world.tasks:
                rubric = rubric_of_world(task, world.tools, rehearse(world, task))
                assert {"fulfilment", "tool", "grounding"} <= {criterion.category for criterion in rubric.criteria}
                left = [criterion for criterion in rubric.criteria if criterion.check is None]
                assert all(criterion.truth == Check("solved") for criterion in left) and len(left) <= 1
                weights = [criterion.weight for criterion in rubric.criteria]
                assert max(weights) == rubric.of("fulfilment")[0].weight
                assert rubric_text(rubric).count("[[criteria]]") == len(rubric.criteria)


def test_criteria_change_nothing_else_of_a_world() -> None:
    first, again = (composed_world(11, "practice", tasks=10) for _ in range(2))
    assert first.tasks == again.tasks and all(task.criteria for task in first.tasks)
    plain = [dataclasses.replace(task, criteria=()) for task in first.tasks]
    assert [task.text for task in plain] == [task.text for task in again.tasks]
