"""What a run of the router earns: format, outcome, and whether the models that it asked were right to ask."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from atlas.runtime.policies.base import Sampling
from atlas.training.routing.demonstrations import Plan, answer_to, demonstrating, plan_for
from atlas.training.routing.rewards import Tried, reward_of_route, right_models

POOL = {"cheap": Tried(1.0, 0.001, ("text",)), "dear": Tried(1.0, 0.01), "weak": Tried(0.0, 0.0001)}
GOOD = ["<think>x</think><search>{}@@text: do it</search>", "<think>x</think><answer>3</answer>"]


def run(*asked: str, replies: list[str] | None = None, kind: str | None = None) -> Any:
    """What the reward reads of an episode."""
    texts = replies if replies is not None else [GOOD[0].format(name) for name in asked] + GOOD[1:]
    calls = [
        SimpleNamespace(tool="ask", arguments={"model": name}, returned_at=1.0, error_kind=kind) for name in asked
    ]  # fmt: skip
    return SimpleNamespace(turns=[SimpleNamespace(reply_text=text) for text in texts], calls=calls)


def reward(record: Any, solved: float = 1.0, **options: Any) -> Any:
    return reward_of_route(record, solved, POOL, cost_weight=0.02, **options)


def test_the_cheapest_that_solves_it_is_right():
    assert right_models(POOL, 0.02) == {"cheap"}
    assert right_models(POOL, 0.0) == {"cheap", "dear"}
    assert right_models({**POOL, "cheap": Tried(0.0, 0.001)}, 0.02) == {"dear"}


def test_where_none_solves_it_the_cheapest_of_all_is_right():
    none = {name: Tried(0.0, one.usd) for name, one in POOL.items()}
    assert right_models(none, 0.02) == {"weak"}


def test_a_good_run_earns_one():
    found = reward(run("cheap"))
    assert dict(found.parts) == {"format": 0.0, "outcome": 1.0, "selection": 0.0} and found.total == 1.0


def test_a_wrong_choice_costs_once_however_often_it_was_made():
    assert reward(run("dear")).total == pytest.approx(0.85) == reward(run("dear", "dear", "weak")).total
    assert reward(run("cheap", "dear")).parts["selection"] == -0.15


def test_asking_nobody_is_right_only_where_it_was_solved():
    alone = run(replies=GOOD[1:])
    assert reward(alone).total == 1.0 and reward(alone, 0.0).total == pytest.approx(-0.15)


def test_a_broken_form_costs_one_and_names_the_rule():
    found = reward(run(replies=["answer(3)"]), 0.0)
    assert found.parts["format"] == -1.0 and not found.rules["one_answer"] and found.rules["tags"]


def test_a_pair_that_does_not_exist_breaks_the_form():
    assert reward(run("cheap", kind="invalid")).rules["pairs"] is False
    assert reward(run("nobody")).rules["pairs"] is False


def test_a_part_can_be_left_out():
    found = reward(run("dear", replies=["x"]), 0.0, without=("format", "selection"))
    assert found.total == 0.0 and not all(found.rules.values())


def test_a_demonstration_asks_a_right_model_and_hands_on_what_came_back():
    plans = {plan_for(f"task {n}", POOL, {"cheap": "counts"}, cost_weight=0.02, seed=0) for n in range(20)}
    assert {plan.model for plan in plans} == {"cheap"} and {plan.tool for plan in plans} == {"text", "all"}
    assert answer_to("<information>[1, 2]</information>").endswith("<answer>[1, 2]</answer>")
    refused = "<information>error: line 1: ToolError: cheap gave up: Cannot: no tool does this.</information>"
    assert answer_to(refused).endswith("<answer>Cannot: no tool does this.</answer>")


def test_a_demonstration_writes_closing_tags_in_tokens_that_a_small_policy_knows():
    tokenizer = SimpleNamespace(encode=lambda text: [text], eos=2)
    policy: Any = SimpleNamespace(template=SimpleNamespace(ends={7}, tokenizer=tokenizer))
    conversation: Any = SimpleNamespace(messages=[{"role": "user", "content": "x"}], size=lambda: 5)
    written = demonstrating(policy, "do it", Plan("cheap", "all", "why"))
    found = asyncio.run(written.propose(conversation, Sampling()))
    assert found.text == "<think>why</think><search>cheap@@all: do it</search>"
    assert found.token_ids == ["<think>why<", "/think><search>cheap@@all: do it<", "/search>", 7]
    assert found.logprobs is None and not found.trainable
