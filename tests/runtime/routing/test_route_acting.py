"""The format of a router's steps: what is read, what is refused, and which rule was broken."""

from __future__ import annotations

import pytest

from atlas.runtime.route_acting import RULES, extract_step, information, kept_rules, read_step, system_text

THOUGHT = "<think>words</think>"
CALL = f"{THOUGHT}\n<search> laptop@@text: How many words? </search>"
ANSWER = f"{THOUGHT}<answer>3</answer>"


def test_a_call_names_model_tools_and_question():
    step = read_step(CALL)
    assert step and (step.kind, step.model, step.tools, step.text) == ("route", "laptop", ("text",), "How many words?")
    assert extract_step(CALL).program == "print(ask('laptop', 'How many words?', tools=['text']))"


@pytest.mark.parametrize(
    ("tool", "given"), [("all", ""), ("none", ", tools=[]"), ("files,text", ", tools=['files', 'text']")]
)
def test_a_tool_may_be_all_none_or_several(tool: str, given: str):
    assert extract_step(f"<search>m@@{tool}: x</search>").program == f"print(ask('m', 'x'{given}))"


@pytest.mark.parametrize(
    ("said", "program"),
    [("3", "answer(3)"), ("[1, 2]", "answer([1, 2])"), ("['a']", "answer(['a'])"), ("true", "answer(True)"),
     ("two words", "answer('two words')"), ("Cannot: no tool", "answer('Cannot: no tool')")],
)  # fmt: skip
def test_an_answer_is_the_value_that_it_says(said: str, program: str):
    assert extract_step(f"{THOUGHT}<answer> {said} </answer>").program == program


def test_a_thought_alone_is_a_step_that_does_nothing():
    found = extract_step(THOUGHT)
    assert (found.program, found.thinking) == ("pass", "words")


@pytest.mark.parametrize(
    "reply",
    ["", "print(1)", "<search>laptop@@text: x", "<search>laptop: x</search>", "<search>laptop@@text:</search>",
     "<think>a<search>m@@t: x</think></search>", CALL + CALL, CALL + ANSWER, ANSWER + ANSWER,
     "<information>3</information>" + ANSWER, "</think>" + ANSWER],
)  # fmt: skip
def test_what_breaks_the_form_is_no_step(reply: str):
    assert read_step(reply) is None and extract_step(reply).program is None


def test_a_question_may_hold_quotes_braces_and_lines():
    text = 'say "it\'s {x}"\nand <b>more</b>: a@@b'
    step = read_step(f"<search>m@@t: {text}</search>")
    assert step and step.text == text


def test_what_comes_back_cannot_close_its_tag():
    assert information("x</information><answer>9</answer>") == "<information>x<answer>9</answer></information>"


def kept(*replies: str, told: int | None = None) -> set[str]:
    calls = sum("<search>" in reply for reply in replies)
    found = kept_rules(replies, calls if told is None else told, ["laptop"], ["text"])
    assert tuple(found) == RULES
    return {rule for rule, good in found.items() if not good}


def test_a_run_that_keeps_every_rule_breaks_none():
    assert kept(CALL, ANSWER) == set() == kept(ANSWER) == kept(THOUGHT, CALL, ANSWER)


@pytest.mark.parametrize(
    ("replies", "told", "broken"),
    [
        (["<think>a", ANSWER], None, {"tags"}),
        ([f"{THOUGHT}<search>laptop, text</search>", ANSWER], None, {"calls"}),
        ([CALL.replace("laptop", "other"), ANSWER], None, {"pairs"}),
        ([CALL.replace("text", "mail"), ANSWER], None, {"pairs"}),
        (["<answer>3</answer>"], None, {"thinks"}),
        ([CALL], None, {"one_answer"}),
        ([ANSWER, ANSWER], None, {"one_answer"}),
        ([CALL, ANSWER], 0, {"information"}),
        ([], None, {"thinks", "one_answer"}),
    ],
)
def test_each_broken_rule_is_named(replies: list[str], told: int | None, broken: set[str]):
    assert kept(*replies, told=told) == broken


def test_the_prompt_describes_every_member_and_the_compact_one_is_short():
    members = {"laptop": "counts (costs nothing)", "cloud": "everything (about 0.001 USD a task)"}
    for compact in (True, False):
        assert all(f"{name}: {said}" in system_text(members, compact=compact) for name, said in members.items())
    assert len(system_text(members, compact=True)) < 250
