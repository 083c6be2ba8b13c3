"""An adapter from references alone: the same lesson for every variant, gone on with where it was killed."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from atlas.training.recipes.options import TrainOptions
from atlas.training.recipes.tutoring import Lesson, lesson_tasks, tutor
from atlas.training.rows import read_dataset

OPTIONS = TrainOptions(recipe="sft", references=3, steps=1, step_rows=2, threads=1)
VARIANT = {"loading": "tools", "acting": "json", "budget": 4096}


def test_the_tasks_of_a_lesson_come_from_its_suites_in_turn_and_never_from_held_out_ones() -> None:
    lesson = Lesson(("worlds:20", "worlds:250"), VARIANT, OPTIONS)
    names = [task.name for task in islice(lesson_tasks(lesson), 4)]
    assert [name.split("/")[0] for name in names] == ["worlds:20", "worlds:250"] * 2
    assert len(set(names)) == 4 and all("/practice/" in name for name in names)


@pytest.mark.slow
def test_a_lesson_makes_an_adapter_of_as_many_references_as_are_wanted_and_is_not_given_twice(tmp_path: Path) -> None:
    lesson, told = Lesson(("worlds:20",), VARIANT, OPTIONS), []

    async def give() -> Path:
        return await tutor(lesson, tmp_path / "run", lambda *what: told.append(what))

    made = asyncio.run(give())
    assert made.is_file() and told
    assert len({row.rollout for row in read_dataset(tmp_path / "run" / "rows")}) == OPTIONS.references
    told.clear()
    assert asyncio.run(give()) == made and not told
