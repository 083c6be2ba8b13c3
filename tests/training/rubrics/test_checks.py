"""Program checks over the journal, and the gates that no judge can outvote."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from atlas.runtime.episodes import CallRow, Record
from atlas.training.rubrics import Check, Facts, Gates, rubric_of_world

Scenes = Callable[[str], Any]
FAMILIES = ("single", "pipe", "loop", "condition", "search", "trouble", "beyond", "long")


def call(number: int, tool: str, *, ok: bool | None = True, turn: int = 1, sent: bool = True, **arguments: Any) -> CallRow:
    return CallRow(
        "", number, turn, number, tool, arguments, "", tool.startswith("get."), "allowed", "auto", 1.0 if sent else None, 1,
        2.0, number, ok, "value" if ok else None, None if ok else "invalid", None if ok else "no",
    )  # fmt: skip


def record(scenes: Scenes, *calls: CallRow, **episode: Any) -> Record:
    base = scenes("single").play()
    return dataclasses.replace(base, calls=list(calls), episode=dataclasses.replace(base.episode, **episode))


def score(found: Record, kind: str, **given: Any) -> float | None:
    return Check(kind, given).run(Facts(found))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_meets_every_criterion_and_passes_every_gate(scene: Scenes, family: str) -> None:
    made = scene(family)
    rubric = rubric_of_world(made.task, made.world.tools, made.expected)
    facts = rubric.facts(made.play())
    assert {one.text: one.scored(facts, truth=True) for one in rubric.criteria} == dict.fromkeys(
        (one.text for one in rubric.criteria), 1.0
    )
    assert all(rubric.gates.run(facts).values())


@pytest.mark.parametrize("family", FAMILIES)
def test_giving_up_meets_little_and_an_answer_from_nowhere_is_not_grounded(scene: Scenes, family: str) -> None:
    made = scene(family)
    rubric = rubric_of_world(made.task, made.world.tools, made.expected)

    def scores(program: str) -> dict[str, float | None]:
        facts = rubric.facts(made.play([program]))
        return {one.id: one.scored(facts, truth=True) for one in rubric.criteria}

    if family == "beyond":
        assert scores('answer("Cannot: no tool does this.")')["grounding-1"] == 0.0  # it never looked
        assert scores('answer("done")')["fulfilment-1"] == 0.0
    else:
        given_up = scores('answer("Cannot: no tool does this.")')
        assert given_up["fulfilment-1"] == given_up["fulfilment-2"] == given_up["grounding-1"] == 0.0
        assert scores(f"answer({made.expected.answer!r})")["grounding-1"] == 0.0


def test_calls_arguments_order_and_values_are_told_from_the_journal(scene: Scenes) -> None:
    found = record(
        scene, call(1, "get.rows", city="Oslo"), call(2, "set.row", id="A-1", value=5),
        call(3, "set.row", ok=False, id="A-2"), call(4, "set.row", id="A-3", value="6"),
    )  # fmt: skip
    assert score(found, "called", tools=["set.row"]) == 1 and score(found, "called", tools=["set.*"], at_least=3) == 0
    assert score(found, "called", tools=["set.row"], at_most=1) == 0 and score(found, "called", tools=["x.y"]) == 0
    assert score(found, "avoided", tools=["mail.*"]) == 1 and score(found, "avoided", tools=["set.*"]) == 0
    assert score(found, "argument", tool="set.row", name="value", equals="5") == 1
    assert score(found, "argument", tool="set.row", name="id", equals="A-2") == 0  # that call failed
    assert score(found, "argument", name="city", matches="^Os") == 1 and score(found, "argument", equals=7) == 0
    assert score(found, "argument", name="id", one_of=["A-3", "A-4"]) == 1
    assert score(found, "values", tool="set.row", name="id", values=["A-1", "A-2", "A-3", "A-4"]) == 0.5
    assert (
        score(found, "order", tools=["get.rows", "set.row"]) == 1 and score(found, "order", tools=["set.row", "get.*"]) == 0
    )
    assert score(found, "within", calls=4) == 1 and score(found, "within", failures=0) == 0


def test_changes_are_compared_call_by_call(scene: Scenes) -> None:
    found = record(scene, call(1, "set.row", id="A-1", value=5), call(2, "set.row", id="A-1", value=5), call(3, "get.rows"))
    wanted = {"tool": "set.row", "arguments": {"id": "A-1", "value": 5.0}}
    other = {"tool": "set.row", "arguments": {"id": "B-9", "value": 5}}
    assert score(found, "effects", calls=[wanted, wanted]) == 1.0
    assert score(found, "effects", calls=[wanted, other]) == 0.5
    assert score(found, "only", tools=["set.row"]) == 1 and score(found, "only", tools=[]) == 0
    assert Check("only", {"tools": []}).run(Facts(found, changing=("del.row",))) == 1  # by what the toolspace knows


def test_answers_are_compared_as_a_person_would(scene: Scenes) -> None:
    found = record(scene, answer="12.0", status="answered")
    assert score(found, "answer", equals=12) == 1 and score(found, "answer", matches=r"^\d+") == 1
    assert score(found, "answer", equals=13) == 0
    assert score(record(scene, answer="Cannot: no", status="gave_up"), "answer", matches="Cannot") == 0


def test_the_outcome_is_asked_of_those_who_know_it(scene: Scenes) -> None:
    assert score(record(scene, outcome="rated", reward=1.0), "solved") == 1
    assert score(record(scene, outcome="checked", reward=0.0), "solved") == 0
    assert score(record(scene, outcome="unknown", reward=None), "solved") is None
    assert score(record(scene, outcome="judged", reward=1.0), "solved") is None


@pytest.mark.parametrize(
    ("program", "met"),
    [
        ("x = T()\nanswer(x)", True),
        ("rows = [r for r in [T()]]\nbest = None\nfor r in rows:\n    best = r\nanswer(best)", True),
        ("if T():\n    answer('yes please')\nelse:\n    answer('never')", True),
        ("out = {}\nout['a'] = 1\nout['b'] = str(T())\nanswer(out)", True),
        ("found = []\nfound.append(T())\nanswer(len(found))", True),
        ("def f():\n    return T()\nanswer(f())", True),
        ("T()\nanswer('forty-two apples')", False),
        ("x = T()\nx = 3\nanswer(x)", False),
        ("answer(17)", False),
        ("x = T()\nanswer('done')", True),
        ("try:\n    x = T()\nexcept Exception as e:\n    x = str(e)\nanswer(x)", True),
    ],
)
def test_an_answer_is_grounded_when_it_follows_from_a_call(scene: Scenes, program: str, met: bool) -> None:
    made = scene("single")
    reference = made.task.programs[-1]
    tool = made.task.needed[0]
    start = reference.index(f"{tool}(")
    depth, end = 0, start
    for end in range(start + len(tool), len(reference)):
        depth += {"(": 1, ")": -1}.get(reference[end], 0)
        if depth == 0:
            break
    found = made.play([program.replace("T()", reference[start : end + 1])])
    assert score(found, "grounded") == float(met)


def test_an_answer_that_was_read_in_an_earlier_result_is_grounded(scene: Scenes) -> None:
    made = scene("single")
    reference = made.task.programs[-1]
    shown = reference.replace("answer(", "print(", 1)
    heard = made.play([shown, f"answer({made.expected.answer!r})"])
    assert score(heard, "grounded") == 1.0
    assert score(made.play([shown, "answer('something that nobody said')"]), "grounded") == 0.0


def test_a_run_that_ended_without_an_answer_fails_the_format_gate_and_one_that_said_no_passes_it(scene: Scenes) -> None:
    def format_kept(**episode: Any) -> bool:
        return Gates().run(Facts(record(scene, **episode)))["format"]

    assert format_kept(status="gave_up", answer="Cannot: no tool does this.")
    assert not format_kept(status="gave_up", answer=None)  # the turns ran out, or the same program failed again and again
    assert format_kept(status="answered", answer=None)  # `answer(None)` is an answer


def test_a_gate_fails_for_prose_misuse_and_spent_budgets(scene: Scenes) -> None:
    good = scene("single").play()

    def gates(found: Record, **options: Any) -> set[str]:
        return {name for name, passed in Gates(**options).run(Facts(found)).items() if not passed}

    def changed(**turn: Any) -> Record:
        return dataclasses.replace(good, turns=[*good.turns[:-1], dataclasses.replace(good.turns[-1], **turn)])

    assert gates(good) == set()
    assert gates(changed(program=None)) == {"format"} and gates(changed(finish="length")) == {"format"}
    last = good.turns[-1].turn
    refused = call(1, "no.tool", ok=False, sent=False, turn=last)
    assert gates(dataclasses.replace(good, calls=[refused])) == {"misuse"}
    earlier = [dataclasses.replace(refused, turn=0, number=number) for number in range(3)]
    assert gates(dataclasses.replace(good, calls=earlier[:2])) == set()
    assert gates(dataclasses.replace(good, calls=earlier)) == {"misuse"}
    denied = dataclasses.replace(refused, turn=0, decision="refused")
    assert gates(dataclasses.replace(good, calls=[denied])) == {"misuse"}
    assert gates(record(scene, status="budget")) == {"format", "budget"}
    assert gates(good, max_turns=0) == {"budget"} and gates(good, budget=False, max_turns=0) == set()
