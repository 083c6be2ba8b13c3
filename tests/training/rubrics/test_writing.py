"""Rubrics written by a model: read from what it replies, checked like a person's, refused where it wrote none."""

from __future__ import annotations

import asyncio
import json

import pytest

from atlas.runtime.policies import ScriptedPolicy
from atlas.tools_registry.tool import Tool
from atlas.training.errors import RubricError
from atlas.training.rubrics import PAPER_COUNTS, Check, Rubric, write_rubric

TOOLS = [Tool("text", "count", "Count words.", {"type": "object", "properties": {"path": {"type": "string"}}})]


def written(reply: str, *, paper: bool = False) -> Rubric:
    return asyncio.run(write_rubric(ScriptedPolicy([reply]), "How many words are in a.md?", TOOLS, paper=paper))


def item(category: str, criterion: str, weight: float = 5) -> dict[str, object]:
    return {"category": category, "criterion": criterion, "weight": weight}


def test_a_model_writes_criteria_and_those_about_one_tool_become_checks() -> None:
    items = [
        item("tool", "Calls text.count", 8), item("Task Fulfillment", "The answer is the number of words", 10),
        item("nonsense", "x"), item("tool", "calls TEXT.count", 2), {"category": "tool"}, item("grounding", "Calls no.such"),
    ]  # fmt: skip
    rubric = written(f"<think>hm</think>Here:\n<RUBRICS>{json.dumps(items)}</RUBRICS> done")
    assert [one.id for one in rubric.criteria] == ["fulfilment-1", "tool-1", "grounding-1"]
    assert rubric.criterion("tool-1").check == Check("called", {"tools": ["text.count"]})
    assert rubric.criterion("grounding-1").check is None and rubric.source == "model"


@pytest.mark.parametrize(
    "reply", ["I would say it is fine.", "<RUBRICS>[{]</RUBRICS>", "[]", '[{"category": "tool"}]', "<RUBRICS></RUBRICS>"]
)
def test_a_model_that_writes_no_rubric_is_refused(reply: str) -> None:
    with pytest.raises(RubricError, match="no usable rubric") as told:
        written(reply)
    assert told.value.mend


def test_a_models_zero_weights_are_refused_like_a_persons() -> None:
    with pytest.raises(RubricError, match="weight is 0"):
        written(json.dumps([item("tool", "Calls text.count", 0)]))


def test_the_papers_form_has_exactly_twelve_criteria_in_its_counts() -> None:
    items = [item(name, f"{name} {number}") for name, count in PAPER_COUNTS.items() for number in range(count)]
    assert len(written(json.dumps(items), paper=True).criteria) == 12
    with pytest.raises(RubricError, match="not the paper's twelve"):
        written(json.dumps(items[1:]), paper=True)
