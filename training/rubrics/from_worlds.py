"""Rubrics that need no model: from the reference of a world's task, or the plain one that fits any task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...tools_registry.tool import Tool
from ..worlds.base import Task
from ..worlds.rehearse import Rehearsal
from .checks import Check, parse_check
from .rubric import Category, Rubric, RubricCriterion, numbered

_SOLVED = Check("solved")
WORLD_WEIGHTS: Mapping[Category, float] = {"fulfilment": 0.6, "tool": 0.2, "grounding": 0.1, "parameter": 0.1}
"""A world knows whether its task was solved, so that weighs most; its other criteria can be met in another way as well."""


def rubric_of_world(task: Task, tools: Iterable[Tool], expected: Rehearsal | None = None) -> Rubric:
    """The rubric of a world's task.

    With `expected`, what its reference did when it was run, it also says which changes are due, and which calls that
    depend on the data. Criteria that only the outcome decides have a `truth`, and are left to a judge otherwise.
    """
    criteria = [
        RubricCriterion(
            "", one.category, one.text, one.weight,
            None if one.check is None else parse_check(one.check, where=f"world task {task.text[:60]!r}"),
            _SOLVED if one.check is None else None,
        )
        for one in task.criteria
    ]  # fmt: skip
    if expected is not None:
        criteria += _of_rehearsal(task, expected, {one.text for one in criteria})
    changing = tuple(sorted(tool.full_name for tool in tools if not tool.read_only))
    return Rubric(task.text, numbered(tuple(criteria)), source="world", changing=changing, weights=WORLD_WEIGHTS)


def _of_rehearsal(task: Task, expected: Rehearsal, known: set[str]) -> list[RubricCriterion]:
    """What only the data decides: calls under a condition, and the changes themselves."""
    found = []
    for name in task.needed:
        if not any(name in text for text in known if text.startswith("Calls")):
            if name in expected.called:
                found.append(RubricCriterion("", "tool", f"Calls {name}", 7, Check("called", {"tools": [name]})))
            else:
                found.append(RubricCriterion("", "tool", f"Does not call {name}", 7, Check("avoided", {"tools": [name]})))
    if expected.effects:
        calls = [{"tool": name, "arguments": arguments} for name, arguments in expected.effects]
        text = "Makes every change that was asked for"
        found.append(RubricCriterion("", "fulfilment", text, 8, Check("effects", {"calls": calls})))
    return found


def plain_rubric(task: str) -> Rubric:
    """The rubric of a task that nobody wrote one for: the same four questions for every task."""
    return Rubric(task, numbered((
        RubricCriterion("", "fulfilment", "The answer or the change is what was asked for", 10, None, _SOLVED),
        RubricCriterion("", "fulfilment", "Ends with an answer instead of giving up", 4, Check("answered")),
        RubricCriterion("", "tool", "The tools that were called are those that the task needs", 7),
        RubricCriterion("", "tool", "No call failed", 4, Check("within", {"failures": 0})),
        RubricCriterion("", "grounding", "The answer comes from what the tools returned", 6, Check("grounded")),
        RubricCriterion("", "parameter", "The arguments of the calls are those that the task names", 5),
    )), source="plain")  # fmt: skip
