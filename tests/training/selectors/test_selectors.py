"""Which steps carry loss: the controls, the data flow of the journal, and a model's strict verdict."""

from __future__ import annotations

import asyncio
import json

import pytest

from atlas.runtime.policies import ScriptedPolicy
from atlas.tools_registry.stubs import prompt_stub
from atlas.tools_registry.tool import Tool
from atlas.training.errors import SelectorError
from atlas.training.selectors import AskedSelector, Selected, all_turns, cap, data_flow, random_turns, select

CLOSE = Tool("crm", "close", "Close a ticket.", {"type": "object", "properties": {"id": {"type": "string"}}})


def five(make):
    return make.record([make.turn(n, f"x{n} = {n}") for n in range(1, 6)])


@pytest.mark.parametrize(
    ("steps", "share", "most"), [(1, 0.3, 1), (3, 0.3, 1), (4, 0.3, 2), (10, 0.3, 3), (10, 1.0, 10), (0, 0.3, 0)]
)
def test_the_cap_is_the_share_rounded_up_and_at_least_one(steps, share, most):
    assert cap(steps, share) == most


def test_all_and_random_are_controls_and_random_is_drawn_by_the_seed(make):
    record = five(make)
    assert all_turns(record).turns == {1, 2, 3, 4, 5}
    drawn = [random_turns(record, share=0.3, seed=seed).turns for seed in range(8)]
    assert all(len(turns) == 2 for turns in drawn) and len(set(drawn)) > 1
    assert random_turns(record, share=0.3, seed=1).turns == random_turns(record, share=0.3, seed=1).turns


def test_a_turn_that_nothing_depends_on_is_never_chosen(make):
    record = make.record(
        [
            make.turn(1, "rows = crm.find(city='Rome')", result="found"),
            make.turn(2, "unused = crm.count()\nprint(unused)", result="7"),
            make.turn(3, "answer(len(rows))", answered=True),
        ],
        [make.call(1, 1, "crm.find"), make.call(2, 2, "crm.count")],
    )
    chosen = data_flow(record, share=1.0)
    assert chosen.turns == {1, 3}
    reasons = {label.turn: label.reason for label in chosen.labels}
    assert reasons[1] == "turn 3 reads rows" and "answer" in reasons[3]


def test_values_copied_from_a_result_loads_and_changes_are_followed(make):
    record = make.record(
        [
            make.turn(1, "load_tools('crm.close')", loaded=[prompt_stub(CLOSE)]),
            make.turn(2, "print(crm.find('Ann'))", result="C-1042"),
            make.turn(3, "print(crm.noise())", result="nothing"),
            make.turn(4, "crm.close(id='C-1042')", result="ok"),
            make.turn(5, "answer('done')", answered=True),
        ],
        [make.call(1, 2, "crm.find"), make.call(2, 3, "crm.noise"), make.call(3, 4, "crm.close", repeatable=False)],
    )
    chosen = data_flow(record, share=1.0)
    assert chosen.turns == {1, 2, 4, 5}
    first = chosen.labels[0]
    assert first.category == "plan_creation" and first.reason == "turn 4 calls crm.close, which it loaded"


def test_a_program_that_mends_an_error_is_self_correction(make):
    error = {"type": "ToolError", "message": "no", "line": 1}
    record = make.record(
        [
            make.turn(1, "x = files.read('Notes.md')", status="error", error=error),
            make.turn(2, "answer(files.read('notes.md'))", answered=True),
        ]
    )
    labels = {label.turn: label for label in data_flow(record, share=1.0).labels}
    assert labels[2].category == "self_correction" and labels[1].reason == "turn 2 mends its error"


def ask(make, reply, share=0.3):
    return asyncio.run(AskedSelector(ScriptedPolicy([reply]), share=share).select(five(make)))


def test_a_models_verdict_is_stored_with_plan_categories_and_reasons(make):
    steps = [{"step": 4, "category": "critical_action", "reason": "does it"}, {"step": 1, "category": "plan_creation"}]
    chosen = ask(make, "```json\n" + json.dumps({"plan": "first, then", "steps": steps}) + "\n```")
    assert chosen.turns == {1, 4} and chosen.details["plan"] == "first, then" and chosen.details["model"] == "scripted"
    assert Selected.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


@pytest.mark.parametrize(
    "reply",
    [
        "Steps 1 and 4 look critical to me.", "[]", "{}", '{"steps": []}',
        '{"steps": [{"step": 9, "category": "critical_action"}]}',
        '{"steps": [{"step": true, "category": "critical_action"}]}',
        '{"steps": [{"step": 1, "category": "important"}]}', '{"steps": ["1"]}',
        json.dumps({"steps": [{"step": n, "category": "critical_action"} for n in (1, 2, 3)]}),
        json.dumps({"steps": [{"step": 1, "category": "critical_action"}] * 2}),
    ],
)  # fmt: skip
def test_a_verdict_that_cannot_be_read_is_an_error_and_never_an_empty_choice(make, reply):
    with pytest.raises(SelectorError) as caught:
        ask(make, reply)
    assert "episode E" in caught.value.where and caught.value.mend


def test_a_share_out_of_range_is_refused(make):
    with pytest.raises(SelectorError, match="share"):
        asyncio.run(select(five(make), kind="random", share=0.0))
